/** Calls of nodes that there is no session with yet, along a chain on a simulated network. */
import assert from "node:assert/strict";
import { RpcError } from "../../../src/rpc/mod.ts";
import type { Reacher } from "../../../src/services/nat/reacher.ts";
import { AnnouncedKeys, ROUTES_MS } from "../nat/reach_kit.ts";
import { type CallNode, type CallNodeOptions, RpcKit } from "./rpc_kit.ts";

const SECRET = new TextEncoder().encode("nobody in between reads this sentence");

/** Nodes in a row that reach each other on demand. */
class Chain implements Disposable {
  readonly kit = new RpcKit();
  readonly keys = new AnnouncedKeys();
  readonly nodes: CallNode[] = [];
  readonly #reachers = new Map<CallNode, Reacher>();

  /** Adds a node at the end; one that does not seal announces no key. */
  async add(options: CallNodeOptions = {}): Promise<CallNode> {
    const number = this.nodes.length + 1;
    // Made with the node, which is made with it.
    const own: { reacher?: Reacher } = {};
    const node = await this.kit.node(number, {
      reach: {
        reach: async (peer) => await own.reacher?.reach(peer),
        mayReach: (peer) => own.reacher?.mayReach(peer) ?? false,
      },
      ...options,
    });
    own.reacher = this.keys.reacher(this.kit.mesh, node.node);
    this.#reachers.set(node, own.reacher);
    if (options.isOurs !== false) this.keys.announce(node.node, number);
    const last = this.nodes.at(-1);
    if (last !== undefined) await this.kit.connect(last, node);
    this.nodes.push(node);
    return node;
  }

  reacherOf(node: CallNode): Reacher {
    const reacher = this.#reachers.get(node);
    assert.ok(reacher !== undefined);
    return reacher;
  }

  /** Everybody hears of everybody. */
  async heard(): Promise<void> {
    await this.kit.clock.advance(ROUTES_MS);
  }

  [Symbol.dispose](): void {
    this.kit[Symbol.dispose]();
  }
}

/** How often the sentence was in a datagram. */
function watchFor(kit: RpcKit, needle: Uint8Array): () => number {
  let seen = 0;
  const text = String.fromCharCode(...needle);
  kit.mesh.network.filter = (bytes) => {
    if (String.fromCharCode(...bytes).includes(text)) seen += 1;
    return true;
  };
  return () => seen;
}

Deno.test("a call by name and one by node id reach a node three hops away, sealed end to end", async () => {
  using chain = new Chain();
  const { kit } = chain;
  const [a, b, c, d] = [
    await chain.add(),
    await chain.add(),
    await chain.add(),
    await chain.add(),
  ];
  let handled = 0;
  d.rpc.serve("echo", (body) => {
    handled += 1;
    return body;
  });
  await chain.heard();
  assert.equal(a.node.transport.peer(d.nodeId), undefined);
  const seen = watchFor(kit, SECRET);

  assert.deepEqual(await kit.settled(a.rpc.call("echo", SECRET)), SECRET);
  const there = a.node.transport.peer(d.nodeId);
  assert.deepEqual([there?.isSealed, there?.isRelayed], [true, true]);
  assert.deepEqual(
    await kit.settled(a.rpc.call("echo", SECRET, { target: d.nodeId })),
    SECRET,
  );
  // The other way the session is there already.
  a.rpc.serve("back", (body) => body);
  assert.deepEqual(await kit.settled(d.rpc.call("back", SECRET)), SECRET);
  assert.equal(handled, 2);
  assert.equal(chain.reacherOf(d).counters.reach_attempted_total, 0);
  assert.equal(chain.reacherOf(a).counters.reach_attempted_total, 1);

  // Those in between passed it on without a stream of their own for it, and it was never in the clear.
  assert.equal(seen(), 0);
  for (const relay of [b, c]) assert.equal(relay.rpcCounters().net_rpc_link_callers, 0);
  assert.ok(b.node.transport.relayedStreams().length > 0);
});

Deno.test("calls of many services at once make one session", async () => {
  using chain = new Chain();
  const { kit } = chain;
  const [a, , c] = [await chain.add(), await chain.add(), await chain.add()];
  const names = Array.from({ length: 20 }, (_, number) => `many/s${number}`);
  for (const name of names) c.rpc.serve(name, (body) => body);
  await chain.heard();
  const answers = await kit.settled(
    Promise.all(names.map((name) => a.rpc.call(name, SECRET, { target: c.nodeId }))),
  );
  assert.equal(answers.length, 20);
  assert.equal(chain.reacherOf(a).counters.reach_attempted_total, 1);
});

Deno.test("a node that can't be reached is passed over, and not asked again for a while", async () => {
  using chain = new Chain();
  const { kit } = chain;
  const [a, b, c] = [await chain.add(), await chain.add(), await chain.add()];
  const beside = await kit.node(9);
  await kit.connect(b, beside);
  chain.keys.announce(beside.node, 9);
  const servers = [c, beside];
  for (const { rpc } of servers) rpc.serve("twice", (body) => body);
  await chain.heard();
  const [first] = a.rpc.findServiceNodes("twice");
  const gone = servers.find(({ nodeId }) => nodeId === first);
  const other = servers.find(({ nodeId }) => nodeId !== first);
  assert.ok(gone !== undefined && other !== undefined);
  const { host } = gone.node.address;
  kit.mesh.network.filter = (_, from, to) => from.host !== host && to.host !== host;

  assert.deepEqual(await kit.settled(a.rpc.call("twice", SECRET)), SECRET);
  const reacher = chain.reacherOf(a);
  assert.ok(await kit.until(() => !reacher.mayReach(gone.nodeId)));
  const calls = Array.from({ length: 4 }, () => a.rpc.call("twice", SECRET));
  assert.equal((await kit.settled(Promise.all(calls))).length, 4);
  assert.equal(reacher.counters.reach_attempted_total, 2);
  assert.equal(a.node.transport.peer(other.nodeId)?.state, "connected");
});

Deno.test("a node that announces no key is not reached: no_route says what to do", async () => {
  using chain = new Chain();
  const { kit } = chain;
  const [a, , rust] = [await chain.add(), await chain.add(), await chain.add({ isOurs: false })];
  rust.rpc.serve("echo", (body) => body);
  await chain.heard();
  for (const options of [{}, { target: rust.nodeId }]) {
    const error = await kit.settled(a.rpc.call("echo", SECRET, options).catch((error) => error));
    assert.ok(error instanceof RpcError);
    assert.equal(error.kind, "no_route");
    assert.match(error.message, /no session with node [0-9a-f]{16}, and it announced no key$/);
    assert.match(error.next ?? "", /ticket .*#NOISEKEY/);
  }
  assert.equal(chain.reacherOf(a).counters.reach_attempted_total, 0);
});
