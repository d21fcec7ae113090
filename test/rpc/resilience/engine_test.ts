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
