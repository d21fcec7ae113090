/** Calls by name through the client's own engine: what it says of a request that has left decides. */
import assert from "node:assert/strict";
import { RpcMetrics, ServiceCaller, ServiceDirectory, Status } from "../../../src/rpc/mod.ts";
import { bodyOf, createClientKit, Outcome, PEER, SERVICE } from "../client/client_kit.ts";
import type { SentFrame } from "../memory_links.ts";

const FIRST = PEER - 1n;

/** Two nodes; only the second has a link, which is ready. */
function createKit() {
  const kit = createClientKit();
  const caller = new ServiceCaller({
    clock: kit.clock,
    random: () => 0.5,
    targets: kit.client,
    tokens: kit.client.cancelTokens,
    directory: new ServiceDirectory({
      nodesOffering: () => [FIRST, PEER],
      mayExecute: () => true,
      version: () => 0,
      isHealthy: () => true,
      roundTripMs: () => undefined,
    }),
    meters: new RpcMetrics({ clock: kit.clock }),
    nodeId: 1n,
  });
  return { ...kit, caller };
}

/** Makes the node that has a link the next one to be picked, and the other the one after it. */
async function passFirstPick(kit: Pick<ReturnType<typeof createKit>, "caller" | "clock" | "link">) {
  new Outcome(kit.caller.call(SERVICE, bodyOf(1), { timeoutMs: 1 }));
  await kit.clock.advance(1);
  kit.link.take();
}

Deno.test("call() leaves a node whose way does not open, and nothing is ever sent there", async () => {
  const { caller, clock, links, link } = createKit();
  const outcome = new Outcome(caller.call(SERVICE, bodyOf(1), { timeoutMs: 1000 }));
  await clock.advance(499);
  assert.equal(links.opening(FIRST, SERVICE), 1);
  assert.equal(link.take().length, 0);
  await clock.advance(1);
  assert.equal(links.opening(FIRST, SERVICE), 0);
  const [request] = link.take();
  links.respond(link, request as SentFrame, { body: bodyOf(9) });
  await clock.advance(0);
  assert.deepEqual([...outcome.value ?? []], [9]);
});

Deno.test("call() waits for a node that has the request, without a second one", async () => {
  const { caller, clock, links, link } = createKit();
  await passFirstPick({ caller, clock, link });
  const outcome = new Outcome(caller.call(SERVICE, bodyOf(1), { timeoutMs: 1000 }));
  assert.equal(link.take().length, 1);
  await clock.advance(1000);
  assert.equal(outcome.error?.kind, "timeout");
  assert.equal(links.opening(FIRST, SERVICE), 0);
});

Deno.test("call() goes on to the next node when the engine is answered with status 4", async () => {
  const { caller, clock, links, link } = createKit();
  await passFirstPick({ caller, clock, link });
  const outcome = new Outcome(caller.call(SERVICE, bodyOf(1), { timeoutMs: 1000 }));
  const [request] = link.take();
  links.respond(link, request as SentFrame, { status: Status.backpressure });
  await clock.advance(0);
  assert.equal(links.opening(FIRST, SERVICE), 1);
  await clock.advance(1000);
  assert.equal(outcome.settled, 1);
});

Deno.test("a cancel token ends a call by name in each shape, and between two attempts", async () => {
  const { caller, client, clock, link, links, meter } = createKit();
  const tokens = client.cancelTokens;
  const token = tokens.create();
  const options = { target: PEER, cancelToken: token };
  const covered = [
    caller.call(SERVICE, bodyOf(1), options),
    caller.callStream(SERVICE, bodyOf(1), options).then((stream) => stream.read()),
    caller.callClientStream(SERVICE, options).then((call) => call.finish(bodyOf(1))),
    caller.callDuplex(SERVICE, options).then(({ responses }) => responses.read()),
  ].map((call: Promise<unknown>) => new Outcome(call));
  await clock.advance(0);
  tokens.cancel(token);
  await clock.advance(0);
  assert.deepEqual(covered.map(({ error }) => error?.kind), Array(4).fill("cancelled"));
  link.take();
  const other = tokens.create();
  const again = new Outcome(caller.call(SERVICE, bodyOf(1), {
    target: PEER,
    cancelToken: other,
    retry: { attempts: 3, delayMs: 100 },
  }));
  await clock.advance(0);
  links.respond(link, link.take()[0] as SentFrame, { status: Status.internal });
  await clock.advance(10);
  assert.deepEqual([again.settled, meter.inFlight], [0, 0], "it waits for its next attempt");
  tokens.cancel(other);
  await clock.advance(0);
  assert.equal(again.error?.kind, "cancelled");
  await clock.advance(1_000);
  assert.deepEqual(link.take(), [], "nothing is sent any more");
  client.stop();
});
