import assert from "node:assert/strict";
import { Passes } from "../../../src/blob/flow/passes.ts";
import { PASSES_RUNNING_MAX, PASSES_WAITING_MAX } from "../../../src/blob/flow/limits.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

const hashOf = (byte: number) => new Uint8Array(32).fill(byte);

Deno.test("Passes.fetch() gets few chunks at a time, whoever asks for however many", async () => {
  const coming: (() => void)[] = [];
  let running = 0;
  let runningMax = 0;
  const store = {
    spilled: {
      holders: (hash: Uint8Array) => Promise.resolve(hash[0] === 0 ? [] : [7n]),
    },
    sizes: ([hash]: readonly Uint8Array[]) => Promise.resolve(new Map([[hash?.toHex() ?? "", 3]])),
  };
  const passes = new Passes({
    clock: new ManualClock(),
    store,
    mesh: {
      fetch: async (hash) => {
        runningMax = Math.max(runningMax, ++running);
        await new Promise<void>((resolve) => coming.push(resolve));
        running -= 1;
        if (hash[0] === 2) throw new Error("away");
        return Uint8Array.of(1, 2, 3);
      },
    },
  });
  const { signal } = new AbortController();
  const settle = () => new Promise((resolve) => setTimeout(resolve, 0));
  const asked = Array.from({ length: 100 }, (_, i) => passes.fetch(hashOf(i + 1), signal));
  await settle();
  // What nobody holds is answered at once all the same.
  assert.equal(await passes.fetch(hashOf(0), signal), undefined);
  for (let round = 0; round < 100; round++) {
    coming.shift()?.();
    await settle();
  }
  const got = await Promise.all(asked);
  assert.equal(runningMax, PASSES_RUNNING_MAX);
  const count = got.filter((bytes) => bytes !== undefined).length;
  // The one whose holder was away gave its place back.
  assert.equal(count, PASSES_RUNNING_MAX + PASSES_WAITING_MAX - 1);
});
