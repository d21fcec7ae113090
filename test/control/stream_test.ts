/** Answers that come in pieces and must not be dropped. */
import assert from "node:assert/strict";
import * as v from "valibot";
import { defineMethod } from "../../src/control/mod.ts";
import { startHarness } from "./harness.ts";

const PIECE = "x".repeat(10_000);

/** A server with a method that sends pieces for as long as somebody reads. */
async function startStreaming() {
  const harness = await startHarness();
  let sent = 0;
  let ended: unknown;
  harness.table.register(defineMethod({
    name: "test.stream",
    access: "privileged",
    summary: "Sends pieces",
    isReadOnly: true,
    params: v.object({ count: v.number() }),
    handle: async ({ count }, context) => {
      try {
        for (let number = 0; number < count; number++) {
          await context.send({ number, piece: PIECE });
          sent += 1;
        }
        return { sent };
      } catch (error) {
        ended = error;
        throw error;
      }
    },
  }));
  return { harness, sent: () => sent, ended: () => ended };
}

const request = (count: number, progress = true) =>
  JSON.stringify({ jsonrpc: "2.0", method: "test.stream", params: { count, progress }, id: 1 });

async function until(isSo: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 5_000;
  while (!isSo()) {
    assert.ok(performance.now() < deadlineMs, "it never happened");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test("send() waits for a caller that reads slowly, and drops nothing", async () => {
  const { harness, sent } = await startStreaming();
  await using _ = harness;
  using client = await harness.connect();
  const count = 500;
  await client.send(`${request(count)}\n`);
  let before = -1;
  await until(() => {
    const isStill = sent() === before && sent() > 0;
    before = sent();
    return isStill;
  });
  // What the server keeps and what the kernel does, far below the 5 MB of all of it.
  assert.ok(sent() < 150, `${sent()} pieces were taken from the handler`);
  for (let number = 0; number < count; number++) {
    const { params } = await client.json();
    assert.equal(params.number, number);
  }
  assert.deepEqual((await client.json()).result, { sent: count });
});

Deno.test("send() fails for a caller that did not ask for progress", async () => {
  const { harness } = await startStreaming();
  await using _ = harness;
  using client = await harness.connect();
  await client.send(`${request(1, false)}\n`);
  const { error } = await client.json();
  assert.equal(error.data.code, "usage");
});

Deno.test("send() ends with a caller that leaves without reading", async () => {
  const { harness, ended, sent } = await startStreaming();
  await using _ = harness;
  {
    using client = await harness.connect();
    await client.send(`${request(1_000_000)}\n`);
    await until(() => sent() > 0);
  }
  await until(() => ended() !== undefined);
});
