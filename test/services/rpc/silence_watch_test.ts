/** Peers that calls wait for, and that say nothing. */
import assert from "node:assert/strict";
import { SilenceWatch } from "../../../src/services/rpc/silence_watch.ts";
import { HeapClock } from "../../sim/heap_clock.ts";

const TIMEOUT_MS = 1_000;

function watched() {
  const clock = new HeapClock();
  const heardAt = new Map<bigint, number>();
  const probed: bigint[] = [];
  const watch = new SilenceWatch({
    clock,
    transport: {
      peer: (peer) => {
        const at = heardAt.get(peer);
        // Only this is looked at.
        return at === undefined ? undefined : { idleMs: clock.now() - at } as never;
      },
      probe: (peer) => void probed.push(peer),
    },
  }, TIMEOUT_MS);
  return { clock, heardAt, probed, watch };
}

Deno.test("SilenceWatch asks a silent peer for a sign, and gives it up within two timeouts", async () => {
  const { clock, heardAt, probed, watch } = watched();
  const silent: string[] = [];
  heardAt.set(1n, clock.now());
  heardAt.set(2n, clock.now());
  watch.add(1n, () => silent.push("first"));
  const stop = watch.add(1n, () => silent.push("stopped"));
  watch.add(1n, () => silent.push("second"));
  watch.add(2n, () => silent.push("never"));
  stop();
  for (let i = 0; i < 20; i++) {
    await clock.advance(100);
    heardAt.set(2n, clock.now());
    if (clock.now() - (heardAt.get(1n) ?? 0) < 0.7 * TIMEOUT_MS) assert.deepEqual(probed, []);
  }
  assert.ok(probed.length > 0 && probed.every((peer) => peer === 1n));
  assert.deepEqual(silent.slice(0, 2), ["first", "second"]);
  watch.stop();
});

Deno.test("SilenceWatch gives up a peer that is not known any more", async () => {
  const { clock, watch } = watched();
  let isSilent = false;
  const stop = watch.add(1n, () => {
    isSilent = true;
    stop();
  });
  await clock.advance(TIMEOUT_MS);
  assert.ok(isSilent);
  assert.equal(watch.size, 0);
});

Deno.test("SilenceWatch keeps no timer when nobody is watched", async () => {
  const { clock, heardAt, watch } = watched();
  heardAt.set(1n, clock.now());
  const stop = watch.add(1n, () => {});
  stop();
  assert.equal(watch.size, 0);
  await clock.advance(2 * TIMEOUT_MS);
  assert.equal(clock.timersWaiting, 0);
});
