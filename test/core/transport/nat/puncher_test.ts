import assert from "node:assert/strict";
import fc from "fast-check";
import { createNatCounters } from "../../../../src/core/transport/nat/counters.ts";
import {
  keepAliveOffsetMs,
  Puncher,
  punchLeadMs,
} from "../../../../src/core/transport/nat/puncher.ts";
import type { SocketAddress } from "../../../../src/core/transport/mod.ts";
import type { KeepAlive } from "../../../../src/core/transport/wire/nat_frames.ts";
import { ManualClock } from "../../../sim/manual_clock.ts";

const PEER = 5n;
const REFLEX = { host: "203.0.113.5", port: 9_005 };

class Kit {
  readonly clock = new ManualClock();
  readonly counters = createNatCounters();
  /** Milliseconds after the start, by destination. */
  readonly sent: number[] = [];
  sessionOpenedAt: number | undefined;
  handler: ((keepAlive: KeepAlive, from: SocketAddress) => void) | undefined;
  readonly #start = this.clock.now();
  readonly puncher = new Puncher({
    clock: this.clock,
    counters: this.counters,
    sendKeepAlive: () => void this.sent.push(this.clock.now() - this.#start),
    listen: (handler) => void (this.handler = handler),
    directSessionAgeMs: () =>
      this.sessionOpenedAt === undefined ? undefined : this.clock.now() - this.sessionOpenedAt,
  });
  heard = 0;

  begin(leadMs: number, peer = PEER, isAsked = false) {
    const fireAtMs = this.clock.wallMs() + leadMs;
    return this.puncher.begin(
      { peer, reflex: REFLEX, fireAtMs, isAsked },
      () => void (this.heard += 1),
    );
  }

  hear(from: SocketAddress, senderNodeId = PEER): void {
    this.handler?.({ senderNodeId, punchId: 0 }, from);
  }
}

Deno.test("Puncher sends the train that was seen live: 21 datagrams with a lead of 300 ms", async () => {
  const kit = new Kit();
  kit.begin(300);
  await kit.clock.advance(10_000);
  assert.deepEqual(kit.sent.slice(0, 5), [300, 400, 550, 800, 1_050]);
  assert.equal(kit.sent.length, 21);
  assert.equal(kit.sent.at(-1), 5_050);
  assert.equal(kit.puncher.size, 0);
  assert.equal(kit.handler, undefined);
});

Deno.test("keepAliveOffsetMs() gives rising times that end 5 s after the introduction, but the first three", () => {
  fc.assert(fc.property(fc.nat({ max: 5_000 }), (leadMs) => {
    const offsets: number[] = [];
    for (let number = 0;; number++) {
      const offset = keepAliveOffsetMs(number, leadMs);
      if (offset === undefined) break;
      assert.ok(offset > (offsets.at(-1) ?? -1));
      offsets.push(offset);
    }
    assert.deepEqual(offsets.slice(0, 3), [leadMs, leadMs + 100, leadMs + 250]);
    assert.ok(offsets.length <= 22);
    assert.ok(offsets.slice(3).every((offset) => offset < 5_250));
  }));
});

Deno.test("punchLeadMs() is between 0 and 5 s, whatever the clocks say", () => {
  assert.equal(punchLeadMs(1_000, 400), 600);
  assert.equal(punchLeadMs(0, 1e12), 0);
  assert.equal(punchLeadMs(1e15, 0), 5_000);
});

Deno.test("Puncher ends a train once there is a session that was not there before", async () => {
  const kit = new Kit();
  kit.begin(0);
  await kit.clock.advance(300);
  kit.sessionOpenedAt = kit.clock.now();
  await kit.clock.advance(10_000);
  assert.deepEqual(kit.sent, [0, 100, 250]);
});

Deno.test("Puncher runs the whole train where there was a session before", async () => {
  const kit = new Kit();
  kit.sessionOpenedAt = kit.clock.now() - 60_000;
  kit.begin(300);
  await kit.clock.advance(10_000);
  assert.equal(kit.sent.length, 21);
});

Deno.test("Puncher hears the peer's first keep-alive, from its host, once", async () => {
  const kit = new Kit();
  const train = kit.begin(0);
  await kit.clock.advance(50);
  kit.hear({ host: "198.51.100.1", port: REFLEX.port });
  kit.hear(REFLEX, 6n);
  assert.equal(kit.heard, 0);
  assert.equal(kit.counters.drop_keepalive_unexpected_total, 2);
  const other = { host: REFLEX.host, port: 1_234 };
  kit.hear(other);
  kit.hear(REFLEX);
  assert.equal(kit.heard, 1);
  assert.deepEqual(train?.heardFrom, [other, REFLEX]);
  assert.equal(kit.counters.keepalives_heard_total, 2);
});

Deno.test("Puncher remembers a few ports of the peer's host, each once", async () => {
  const kit = new Kit();
  const train = kit.begin(0);
  await kit.clock.advance(50);
  for (let port = 1; port <= 9; port++) kit.hear({ host: REFLEX.host, port: 1 + port % 6 });
  assert.deepEqual(train?.heardFrom.map(({ port }) => port), [2, 3, 4, 5]);
});

Deno.test("Puncher runs 8 trains at once, one towards each peer", () => {
  const kit = new Kit();
  for (let peer = 1n; peer <= 8n; peer++) assert.ok(kit.begin(100, peer));
  assert.equal(kit.begin(100, 9n), undefined);
  const again = kit.begin(200, 8n);
  assert.ok(again);
  assert.equal(kit.puncher.size, 8);
  // Those that this node asked for find room beside them.
  for (let peer = 11n; peer <= 18n; peer++) assert.ok(kit.begin(100, peer, true));
  assert.equal(kit.begin(100, 19n, true), undefined);
  assert.equal(kit.puncher.size, 16);
  kit.puncher.stop();
  assert.equal(again.isOver, true);
  assert.equal(kit.puncher.size, 0);
});
