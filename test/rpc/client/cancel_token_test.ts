import assert from "node:assert/strict";
import {
  CANCEL_KEPT_MS,
  type CancelToken,
  CancelTokens,
  Dispatch,
  NO_CANCEL_TOKEN,
} from "../../../src/rpc/mod.ts";
import type { SentFrame } from "../memory_links.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { bodyOf, type ClientKit, createClientKit, Outcome, PEER, SERVICE } from "./client_kit.ts";

/** Every shape of call as something that settles when the call does. */
const SHAPES: Record<string, (kit: ClientKit, cancelToken: CancelToken) => Promise<unknown>> = {
  unary: (kit, cancelToken) => kit.client.call(PEER, SERVICE, bodyOf(1), { cancelToken }),
  server_stream: async (kit, cancelToken) =>
    await (await kit.client.callStream(PEER, SERVICE, bodyOf(1), { cancelToken })).read(),
  client_stream: async (kit, cancelToken) => {
    const call = await kit.client.callClientStream(PEER, SERVICE, { cancelToken });
    return await call.finish(bodyOf(1));
  },
  duplex: async (kit, cancelToken) => {
    const call = await kit.client.callDuplex(PEER, SERVICE, { cancelToken });
    await call.requests.send(bodyOf(1));
    return await call.responses.read();
  },
};

for (const [shape, begin] of Object.entries(SHAPES)) {
  Deno.test(`cancel token, case 1: it cancels a ${shape} call that runs`, async () => {
    const kit = createClientKit();
    const token = kit.client.cancelTokens.create();
    const outcome = new Outcome(begin(kit, token));
    await kit.clock.advance(0);
    kit.client.cancelTokens.cancel(token, "enough");
    await kit.clock.advance(0);
    assert.equal(outcome.error?.kind, "cancelled");
    assert.equal(outcome.error?.cause, "enough");
    assert.equal(kit.link.take().at(-1)?.dispatch, Dispatch.cancel);
    kit.client.stop();
  });

  Deno.test(`cancel token, case 2: a cancel before a ${shape} call begins is kept`, async () => {
    const kit = createClientKit();
    const token = kit.client.cancelTokens.create();
    kit.client.cancelTokens.cancel(token);
    await kit.clock.advance(60_000);
    const outcome = new Outcome(begin(kit, token));
    await kit.clock.advance(0);
    assert.equal(outcome.error?.kind, "cancelled");
    assert.deepEqual(kit.link.take(), [], "nothing has left");
    assert.equal(kit.meter.inFlight, 0);
    kit.client.stop();
  });
}

Deno.test("cancel token, case 3: one covers many calls, and no others", async () => {
  const kit = createClientKit();
  const token = kit.client.cancelTokens.create();
  const other = kit.client.cancelTokens.create();
  const covered = Object.values(SHAPES).map((begin) => new Outcome(begin(kit, token)));
  const free = [new Outcome(SHAPES.unary!(kit, other)), new Outcome(SHAPES.duplex!(kit, other))];
  await kit.clock.advance(0);
  kit.client.cancelTokens.cancel(token);
  await kit.clock.advance(0);
  assert.deepEqual(covered.map(({ error }) => error?.kind), Array(4).fill("cancelled"));
  assert.deepEqual(free.map(({ settled }) => settled), [0, 0]);
  kit.client.stop();
});

Deno.test("cancel token, case 4: cancelling after completion does nothing", async () => {
  const kit = createClientKit();
  const token = kit.client.cancelTokens.create();
  const first = new Outcome(kit.client.call(PEER, SERVICE, bodyOf(1), { cancelToken: token }));
  kit.links.respond(kit.link, kit.link.take()[0] as SentFrame, { body: bodyOf(2) });
  await kit.clock.advance(0);
  kit.client.cancelTokens.cancel(token);
  await kit.clock.advance(0);
  assert.deepEqual(first.value, bodyOf(2));
  assert.deepEqual(kit.link.take(), []);
  const next = new Outcome(kit.client.call(PEER, SERVICE, bodyOf(1), { cancelToken: token }));
  kit.links.respond(kit.link, kit.link.take()[0] as SentFrame, { body: bodyOf(3) });
  await kit.clock.advance(0);
  assert.deepEqual(next.value, bodyOf(3), "nor does it wait for the next call");
  kit.client.stop();
});

Deno.test("cancel token, case 5: token 0 cancels nothing", async () => {
  const kit = createClientKit();
  kit.client.cancelTokens.cancel(NO_CANCEL_TOKEN);
  const outcome = new Outcome(SHAPES.unary!(kit, NO_CANCEL_TOKEN));
  kit.client.cancelTokens.cancel(NO_CANCEL_TOKEN);
  await kit.clock.advance(0);
  assert.equal(outcome.settled, 0);
  assert.equal(kit.client.cancelTokens.size, 0);
  kit.client.stop();
});

Deno.test("cancel token, case 6: tokens are numbers from 1, each its own", () => {
  const tokens = new CancelTokens(new ManualClock());
  assert.deepEqual([1, 2, 3].map(() => tokens.create().id), [1, 2, 3]);
});

Deno.test("cancel token, case 7: a cancel without a call lives 120 s, and no moment longer", async () => {
  const kit = createClientKit();
  const tokens = kit.client.cancelTokens;
  const [early, late] = [tokens.create(), tokens.create()];
  tokens.cancel(early);
  tokens.cancel(late);
  await kit.clock.advance(CANCEL_KEPT_MS - 1);
  const fired = new Outcome(SHAPES.unary!(kit, early));
  await kit.clock.advance(1);
  const missed = new Outcome(SHAPES.unary!(kit, late));
  await kit.clock.advance(0);
  assert.deepEqual([fired.error?.kind, missed.settled], ["cancelled", 0]);
  kit.client.stop();
});

Deno.test("cancel token, case 8: what is over is swept each second, and the number is bounded", async () => {
  const clock = new ManualClock();
  const tokens = new CancelTokens(clock);
  for (let made = 0; made < 70_000; made++) tokens.cancel(tokens.create());
  assert.equal(tokens.size, 65_536);
  assert.equal(tokens.forgotten, 70_000 - 65_536);
  await clock.advance(CANCEL_KEPT_MS + 1_000);
  assert.equal(tokens.size, 0);
});

Deno.test("CancelTokens keep a token as long as its calls run", async () => {
  const clock = new ManualClock();
  const tokens = new CancelTokens(clock);
  const token = tokens.create();
  let cancelled = 0;
  const call = { onCancel: () => cancelled++ };
  tokens.register(token, call);
  await clock.advance(10 * CANCEL_KEPT_MS);
  tokens.cancel(token);
  tokens.cancel(token);
  assert.equal(cancelled, 1);
  tokens.release(token, call);
  await clock.advance(2 * CANCEL_KEPT_MS);
  assert.equal(tokens.size, 0);
});
