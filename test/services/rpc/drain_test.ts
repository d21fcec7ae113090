/** The drain of a node as its callers see it, between whole nodes on a simulated network. */
import assert from "node:assert/strict";
import { RpcKit } from "./rpc_kit.ts";

const EMPTY = new Uint8Array(0);

Deno.test("V29: a draining node ends the calls it serves, refuses new ones, and is chosen no more", async () => {
  using kit = new RpcKit();
  const [caller, first, second] = [await kit.node(1), await kit.node(2), await kit.node(3)];
  await kit.connect(caller, first);
  await kit.connect(caller, second);
  const ends: (() => void)[] = [];
  const served = [0, 0];
  [first, second].forEach(({ rpc }, index) =>
    rpc.serve("slow", () => {
      served[index] = (served[index] ?? 0) + 1;
      return new Promise((resolve) => ends.push(() => resolve(EMPTY)));
    })
  );
  await kit.clock.advance(2_000);
  const target = first.node.nodeId;
  const running = caller.rpc.call("slow", EMPTY, { target });
  running.catch(() => {});
  assert.ok(await kit.clock.advanceUntil(() => served[0] === 1, 5_000));
  const part = first.rpc.drainPart;
  assert.equal(part.inFlight(), 1);

  part.begin?.();
  // Whoever has not heard of it yet is refused, in a way that has it ask another node.
  const refused = await kit.settled(caller.rpc.call("slow", EMPTY, { target }).catch((e) => e));
  assert.equal(refused.kind, "backpressure");
  assert.match(refused.message, /drains, ask another one/);
  assert.equal(first.rpcCounters().net_rpc_server_refused_draining_total, 1);
  await kit.clock.advance(2_000);
  assert.deepEqual(caller.rpc.findServiceNodes("slow"), [second.node.nodeId]);
  const moved = caller.rpc.call("slow", EMPTY);
  moved.catch(() => {});
  assert.ok(await kit.clock.advanceUntil(() => served[1] === 1, 5_000));
  assert.equal(served[0], 1);
  assert.equal(part.inFlight(), 1, "what runs goes on");
  for (const end of ends.splice(0)) end();
  await kit.settled(Promise.all([running, moved]));
  assert.equal(part.inFlight(), 0);

  part.resume?.();
  await kit.clock.advance(2_000);
  assert.equal(caller.rpc.findServiceNodes("slow").length, 2);
  const again = caller.rpc.call("slow", EMPTY, { target });
  assert.ok(await kit.clock.advanceUntil(() => served[0] === 2, 5_000));
  for (const end of ends.splice(0)) end();
  await kit.settled(again);
  assert.deepEqual(served, [2, 1]);
});

Deno.test("V29: a drain lets calls of the node itself go on, and does not wait for calls without an end", async () => {
  using kit = new RpcKit();
  const [caller, server] = [await kit.node(1), await kit.node(2)];
  await kit.connect(caller, server);
  let finish = () => {};
  server.rpc.serve("inner", () => EMPTY);
  server.rpc.serve("outer", async () => {
    await new Promise<void>((resolve) => finish = resolve);
    return await server.rpc.call("inner", EMPTY, { target: server.node.nodeId });
  });
  server.rpc.serveStream("watch", async function* () {
    yield EMPTY;
    await new Promise(() => {});
  }, { isOpenEnded: true });
  await kit.clock.advance(2_000);
  const target = server.node.nodeId;
  const outer = caller.rpc.call("outer", EMPTY, { target });
  const watching = await kit.settled(caller.rpc.callStream("watch", EMPTY, { target }));
  await kit.clock.advance(500);
  const part = server.rpc.drainPart;
  part.begin?.();
  assert.equal(part.inFlight(), 1);
  finish();
  assert.deepEqual(await kit.settled(outer), EMPTY);
  assert.equal(part.inFlight(), 0);
  await watching.cancel();
});
