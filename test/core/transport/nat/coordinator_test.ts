import assert from "node:assert/strict";
import { PunchCoordinator, RejectReason } from "../../../../src/core/transport/nat/coordinator.ts";
import { createNatCounters } from "../../../../src/core/transport/nat/counters.ts";
import type { PeerInfo, SocketAddress } from "../../../../src/core/transport/mod.ts";
import type { Rendezvous } from "../../../../src/core/transport/wire/nat_frames.ts";
import { ManualClock } from "../../../sim/manual_clock.ts";

const [ASKER, TARGET, STRANGER] = [1n, 2n, 3n];
const ASKER_REFLEX = { host: "203.0.113.1", port: 9_001 };
const TARGET_REFLEX = { host: "203.0.113.2", port: 9_002 };

type PeerFacts = Pick<PeerInfo, "address" | "isRelayed" | "state">;

class Kit {
  readonly clock = new ManualClock();
  readonly counters = createNatCounters();
  readonly peers = new Map<bigint, PeerFacts>();
  readonly reflexes = new Map<bigint, SocketAddress>();
  readonly sent: [to: bigint, message: Rendezvous][] = [];
  readonly coordinator = new PunchCoordinator({
    clock: this.clock,
    counters: this.counters,
    peer: (nodeId) => this.peers.get(nodeId),
    reflexOf: (nodeId) => this.reflexes.get(nodeId),
    send: (to, message) => {
      if (!this.peers.has(to)) return false;
      this.sent.push([to, message]);
      return true;
    },
  });

  constructor() {
    this.add(ASKER, "203.0.113.1");
    this.add(TARGET, "203.0.113.2");
    this.reflexes.set(TARGET, TARGET_REFLEX);
  }

  add(nodeId: bigint, host: string, facts: Partial<PeerFacts> = {}): void {
    const address = { host, port: 4_000 };
    this.peers.set(nodeId, { address, isRelayed: false, state: "connected", ...facts });
  }

  ask(target = TARGET, selfReflex = ASKER_REFLEX, from = ASKER): readonly Rendezvous[] {
    const before = this.sent.length;
    this.coordinator.onRequest(from, { kind: "request", target, punchId: 7, selfReflex });
    return this.sent.slice(before).map(([, message]) => message);
  }

  /** Reason of the refusal; `undefined` when the two were introduced. */
  reasonOf(messages: readonly Rendezvous[]): number | undefined {
    const [message] = messages;
    return message?.kind === "reject" ? message.reason : undefined;
  }
}

Deno.test("PunchCoordinator introduces both with each other's address and one time, 500 ms ahead", () => {
  const kit = new Kit();
  kit.ask();
  const fireAtMs = BigInt(kit.clock.wallMs() + 500);
  assert.deepEqual(kit.sent, [
    [TARGET, { kind: "introduce", peer: ASKER, peerReflex: ASKER_REFLEX, fireAtMs }],
    [ASKER, { kind: "introduce", peer: TARGET, peerReflex: TARGET_REFLEX, fireAtMs }],
  ]);
  assert.equal(kit.counters.introductions_sent_total, 1);
});

Deno.test("PunchCoordinator checks budget, announced address, own address, session, in this order", () => {
  const kit = new Kit();
  const foreign = { host: "198.51.100.9", port: 1 };
  // Everything is wrong, then one thing less each time.
  kit.peers.delete(TARGET);
  kit.reflexes.delete(TARGET);
  assert.equal(kit.reasonOf(kit.ask(TARGET, foreign)), RejectReason.UnknownReflex);
  kit.reflexes.set(TARGET, TARGET_REFLEX);
  assert.equal(kit.reasonOf(kit.ask(TARGET, foreign)), RejectReason.ReflexMismatch);
  assert.equal(kit.reasonOf(kit.ask(TARGET)), RejectReason.NoSession);
  kit.add(TARGET, "203.0.113.2");
  assert.equal(kit.reasonOf(kit.ask()), undefined);
  kit.peers.delete(TARGET);
  kit.reflexes.delete(TARGET);
  assert.equal(kit.reasonOf(kit.ask(TARGET, foreign)), RejectReason.RateLimited);
});

Deno.test("PunchCoordinator takes 4 requests per 10 s of a peer, refused ones among them", async () => {
  const kit = new Kit();
  kit.add(STRANGER, "203.0.113.3");
  for (let i = 0; i < 4; i++) assert.equal(kit.reasonOf(kit.ask(99n)), RejectReason.UnknownReflex);
  assert.equal(kit.reasonOf(kit.ask()), RejectReason.RateLimited);
  const other = { host: "203.0.113.3", port: 9_003 };
  assert.equal(kit.reasonOf(kit.ask(TARGET, other, STRANGER)), undefined);
  await kit.clock.advance(10_000);
  assert.equal(kit.reasonOf(kit.ask()), undefined);
  assert.equal(kit.counters.rejects_rate_limited_total, 1);
  assert.equal(kit.counters.rejects_unknown_reflex_total, 4);
});

Deno.test("PunchCoordinator answers a refusal with target and punch id of the request", () => {
  const kit = new Kit();
  assert.deepEqual(kit.ask(99n), [{ kind: "reject", target: 99n, punchId: 7, reason: 2 }]);
});

Deno.test("PunchCoordinator introduces nobody that it reaches, or that reaches it, through a relay", () => {
  const kit = new Kit();
  kit.add(TARGET, "203.0.113.2", { isRelayed: true });
  assert.equal(kit.reasonOf(kit.ask()), RejectReason.NoSession);
  kit.add(TARGET, "203.0.113.2", { state: "failed" });
  assert.equal(kit.reasonOf(kit.ask()), RejectReason.NoSession);
  kit.add(TARGET, "203.0.113.2");
  kit.add(ASKER, "203.0.113.1", { isRelayed: true });
  assert.equal(kit.reasonOf(kit.ask()), RejectReason.ReflexMismatch);
});

Deno.test("PunchCoordinator introduces nobody to itself", () => {
  const kit = new Kit();
  kit.reflexes.set(ASKER, ASKER_REFLEX);
  assert.equal(kit.reasonOf(kit.ask(ASKER)), RejectReason.NoSession);
});

Deno.test("PunchCoordinator that is off refuses", () => {
  const kit = new Kit();
  kit.coordinator.isOn = false;
  assert.equal(kit.reasonOf(kit.ask()), RejectReason.Other);
});

Deno.test("PunchCoordinator passes acks on between two it introduced, from the session of the sender", async () => {
  const kit = new Kit();
  const ack = { kind: "ack", fromPeer: TARGET, toPeer: ASKER, punchId: 0 } as const;
  kit.coordinator.onAck(TARGET, ack);
  assert.equal(kit.counters.drop_stale_total, 1);

  kit.ask();
  kit.sent.length = 0;
  kit.coordinator.onAck(STRANGER, ack);
  assert.equal(kit.counters.peer_auth_rejections_total, 1);
  assert.deepEqual(kit.sent, []);
  kit.coordinator.onAck(TARGET, ack);
  assert.deepEqual(kit.sent, [[ASKER, ack]]);
  await kit.clock.advance(10_001);
  kit.coordinator.onAck(TARGET, ack);
  assert.equal(kit.counters.drop_stale_total, 2);
});
