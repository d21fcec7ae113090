/** What a node sends to an address that only appears as a source (`sealed.md` 3, 6). */
import assert from "node:assert/strict";
import { HALF_OPEN_MAX, HALF_OPEN_PER_SOURCE_MAX } from "../../../src/core/transport/limits.ts";
import { blockOf, type Claim, rogueMessage1 } from "./rogue.ts";
import { SealedNet, type SealedNode } from "./sealed_net.ts";

/** Counts what goes to and comes from addresses in 10.9. */
function watch(net: SealedNet, node: SealedNode) {
  const received = new Map<string, number>();
  const sent = new Map<string, number>();
  const total = { sent: 0 };
  const add = (map: Map<string, number>, host: string, bytes: number) => {
    const sum = (map.get(host) ?? 0) + bytes;
    map.set(host, sum);
    return sum;
  };
  net.network.filter = (bytes, from, to) => {
    if (from.host.startsWith("10.9.")) add(received, from.host, bytes.length);
    if (from.host === node.address.host && to.host.startsWith("10.9.")) {
      const sum = add(sent, to.host, bytes.length);
      total.sent += bytes.length;
      assert.ok(sum <= 3 * (received.get(to.host) ?? 0), `${sum} bytes sent to ${to.host}`);
    }
    return true;
  };
  return total;
}

Deno.test("an address that only appears as a source gets at most three times what came from it", async () => {
  using net = new SealedNet();
  const [a, b] = [net.node(1), net.node(2)];
  const total = watch(net, b);
  const victim = (n: number) => ({ host: `10.9.0.${n}`, port: 5 });
  const claims: Claim[] = [
    { nodeId: 77n },
    { nodeId: a.nodeId, block: blockOf(a) },
    { nodeId: a.nodeId },
  ];
  for (let n = 1; n < 100; n++) {
    for (const claim of claims) {
      net.network.inject(rogueMessage1(b, claim).datagram, victim(n), b.address);
    }
    // A packet of a session that is not here, which a RESET answers.
    const stray = new Uint8Array(84);
    stray.set([0x45, 0x4e, 1, 0x20]);
    stray[24] = n;
    net.network.inject(stray, victim(n), b.address);
    // No data goes to the addresses that compat handshakes claimed.
    assert.ok(!b.transport.sendMessage(77n, 0x4444, 1n, new Uint8Array(1_000)));
    assert.ok(!b.transport.sendMessage(a.nodeId, 0x4444, 1n, new Uint8Array(1_000)));
    assert.throws(() => b.transport.openSendStream(77n, 1n), { code: "unreachable" });
    await net.clock.advance(n % 10 === 0 ? 500 : 1);
  }
  // More at once than a node works for.
  for (let i = 0; i < 50; i++) {
    const { datagram } = rogueMessage1(b, { nodeId: a.nodeId, block: blockOf(a) });
    net.network.inject(datagram, victim(1), b.address);
  }
  await net.clock.advance(40_000);
  assert.ok(total.sent > 0);
  assert.ok(b.transport.counters.retries_sent_total > 0);
  assert.ok(b.transport.counters.resets_sent_total > 0);
});

Deno.test("a dialled node cannot have its caller send to somebody else", async () => {
  using net = new SealedNet();
  const [a, b] = [net.node(1), net.node(2)];
  const total = watch(net, a);
  // Everything the node sends carries another source; what came to the address it was dialled at arrives.
  net.network.filter = ((watched) => (bytes, from, to) => {
    if (from.host !== b.address.host) return watched?.(bytes, from, to) ?? true;
    net.network.inject(bytes, { host: "10.9.0.1", port: 5 }, to);
    return false;
  })(net.network.filter);
  await net.dial(a, b);
  a.transport.sendMessage(b.nodeId, 0x4444, 1n, new Uint8Array(5_000));
  await net.clock.advance(1_000);
  assert.equal(a.transport.peer(b.nodeId)?.address.host, b.address.host);
  // Challenges are all it gets, and few of them.
  assert.equal(a.transport.counters.path_challenges_sent_total * 97, total.sent);
});

Deno.test("half-open sessions stay within their bounds under a flood, and peers are served", async () => {
  using net = new SealedNet();
  const [a, b] = [net.node(1), net.node(2)];
  await net.dial(a, b);
  let most = 0;
  for (let second = 0; second < 8; second++) {
    for (let n = 0; n < 400; n++) {
      const from = { host: `10.9.${n % 20}.1`, port: second * 1_000 + n };
      const { datagram } = rogueMessage1(b, { nodeId: a.nodeId, block: blockOf(a) });
      net.network.inject(datagram, from, b.address);
    }
    await net.clock.advance(1_000);
    most = Math.max(most, b.transport.sessionCount - 1);
  }
  assert.ok(most > 100 && most <= HALF_OPEN_MAX, `${most} half open`);
  assert.ok(most <= 20 * HALF_OPEN_PER_SOURCE_MAX);
  assert.equal(b.transport.peers().length, 1);
  assert.deepEqual(await net.send(a, b, 3), [0, 1, 2]);
  await net.clock.advance(7_000);
  assert.equal(b.transport.sessionCount, 1, "all of them are gone");
});
