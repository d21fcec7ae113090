import assert from "node:assert/strict";
import { PunchCoordinator } from "../../../../src/core/transport/nat/coordinator.ts";
import { createNatCounters } from "../../../../src/core/transport/nat/counters.ts";
import { Puncher } from "../../../../src/core/transport/nat/puncher.ts";
import { RendezvousPlane } from "../../../../src/core/transport/nat/rendezvous.ts";
import {
  NatError,
  type NatErrorKind,
  type SocketAddress,
} from "../../../../src/core/transport/mod.ts";
import {
  encodeRendezvous,
  type KeepAlive,
  type Rendezvous,
} from "../../../../src/core/transport/wire/nat_frames.ts";
import { ManualClock } from "../../../sim/manual_clock.ts";

const [SELF, COORDINATOR, PEER, STRANGER] = [1n, 2n, 3n, 4n];
const OWN_REFLEX = { host: "203.0.113.1", port: 9_001 };
const PEER_REFLEX = { host: "203.0.113.3", port: 9_003 };
const NEVER = new AbortController().signal;

class Kit {
  readonly clock = new ManualClock();
  readonly counters = createNatCounters();
  readonly sent: [to: bigint, message: Rendezvous][] = [];
  handler: ((keepAlive: KeepAlive, from: SocketAddress) => void) | undefined;
  readonly puncher: Puncher;
  readonly plane: RendezvousPlane;

  constructor() {
    const { clock, counters } = this;
    const send = (to: bigint, message: Rendezvous) => {
      this.sent.push([to, message]);
      return to !== 99n;
    };
    this.puncher = new Puncher({
      clock,
      counters,
      sendKeepAlive: () => {},
      listen: (handler) => void (this.handler = handler),
      directSessionAgeMs: () => undefined,
    });
    const coordinator = new PunchCoordinator({
      clock,
      counters,
      peer: () => undefined,
      reflexOf: () => undefined,
      send,
    });
    const random = (length: number) => new Uint8Array(length).fill(7);
    this.plane = new RendezvousPlane({
      nodeId: SELF,
      clock,
      random,
      counters,
      coordinator,
      puncher: this.puncher,
      send,
    });
  }

  receive(from: bigint, message: Rendezvous): void {
    this.plane.receive(from, encodeRendezvous(message));
  }

  introduce(from: bigint, peer = PEER, peerReflex = PEER_REFLEX): void {
    const fireAtMs = BigInt(this.clock.wallMs() + 500);
    this.receive(from, { kind: "introduce", peer, peerReflex, fireAtMs });
  }

  ask(signal = NEVER) {
    return this.plane.ask(PEER, COORDINATOR, OWN_REFLEX, signal);
  }
}

function isKind(kind: NatErrorKind) {
  return (error: unknown) => error instanceof NatError && error.kind === kind;
}

Deno.test("ask() begins a train with the introduction of the coordinator it asked", async () => {
  const kit = new Kit();
  const asking = kit.ask();
  const punchId = 0x07070707;
  assert.deepEqual(kit.sent, [
    [COORDINATOR, { kind: "request", target: PEER, punchId, selfReflex: OWN_REFLEX }],
  ]);
  kit.introduce(COORDINATOR);
  const train = await asking;
  assert.deepEqual(train.reflex, PEER_REFLEX);
  assert.equal(train.firesAt - train.introducedAt, 500);
});

Deno.test("ask() asks once more after a second, and no more once it is answered", async () => {
  const kit = new Kit();
  const asking = kit.ask();
  await kit.clock.advance(1_000);
  assert.equal(kit.sent.length, 2);
  assert.deepEqual(kit.sent[1], kit.sent[0]);
  kit.introduce(COORDINATOR);
  await asking;
  await kit.clock.advance(10_000);
  assert.equal(kit.sent.length, 2);
});

Deno.test("ask() takes no introduction on another session than the coordinator's", async () => {
  const kit = new Kit();
  const asking = assert.rejects(() => kit.ask(), isKind("punch-failed"));
  kit.introduce(STRANGER);
  kit.introduce(PEER);
  assert.equal(kit.puncher.size, 0);
  assert.equal(kit.counters.peer_auth_rejections_total, 2);
  await kit.clock.advance(5_000);
  await asking;
  assert.equal(kit.counters.punch_timeouts, 1);
});

Deno.test("a train that was asked for is not turned elsewhere by the word of another peer", async () => {
  const kit = new Kit();
  const asking = kit.ask();
  kit.introduce(COORDINATOR);
  const train = await asking;
  kit.introduce(STRANGER, PEER, { host: "203.0.113.66", port: 9_066 });
  assert.equal(train.isOver, false);
  assert.equal(kit.counters.drop_stale_total, 1);
  // The peer may have asked a coordinator of its own: the same word is as good from there.
  kit.introduce(STRANGER);
  assert.equal(kit.counters.introductions_followed_total, 2);
  // Once it is over, others may introduce the peer again.
  await kit.clock.advance(6_000);
  kit.introduce(STRANGER, PEER, { host: "203.0.113.66", port: 9_066 });
  assert.equal(kit.counters.introductions_followed_total, 3);
  kit.plane.stop();
  kit.puncher.stop();
});

Deno.test("ask() ends with a rejection of its coordinator, of this request alone", async () => {
  const kit = new Kit();
  const asking = assert.rejects(() => kit.ask(), isKind("rendezvous-rejected"));
  const reject = { kind: "reject", target: PEER, punchId: 0x07070707, reason: 2 } as const;
  kit.receive(STRANGER, reject);
  assert.equal(kit.counters.peer_auth_rejections_total, 1);
  kit.receive(COORDINATOR, { ...reject, punchId: 8 });
  kit.receive(COORDINATOR, { ...reject, target: STRANGER });
  assert.equal(kit.counters.drop_stale_total, 2);
  kit.receive(COORDINATOR, reject);
  await asking;
  assert.equal(kit.counters.punch_rejections, 1);
});

Deno.test("ask() fails where the coordinator has no session, and when it is aborted", async () => {
  const kit = new Kit();
  assert.throws(() => kit.plane.ask(PEER, 99n, OWN_REFLEX, NEVER), isKind("transport"));
  const abort = new AbortController();
  const asking = assert.rejects(() => kit.ask(abort.signal), /enough/);
  abort.abort(new Error("enough"));
  await asking;
  kit.introduce(COORDINATOR);
  assert.equal(kit.counters.introductions_followed_total, 1);
});

Deno.test("an introduction nobody asked for is followed, 4 per 10 s of one introducer", async () => {
  const kit = new Kit();
  for (let peer = 10n; peer < 15n; peer++) kit.introduce(COORDINATOR, peer);
  assert.equal(kit.puncher.size, 4);
  assert.equal(kit.counters.drop_introduction_limit_total, 1);
  for (let peer = 20n; peer < 25n; peer++) kit.introduce(STRANGER, peer);
  assert.equal(kit.puncher.size, 8);
  kit.introduce(5n, 30n);
  assert.equal(kit.puncher.size, 8);
  assert.equal(kit.counters.drop_introduction_limit_total, 3);
  await kit.clock.advance(10_000);
  kit.introduce(COORDINATOR, 16n);
  assert.equal(kit.puncher.size, 1);
});

Deno.test("an introduction to this node itself, or to port 0, is dropped", () => {
  const kit = new Kit();
  kit.introduce(COORDINATOR, SELF);
  const peerReflex = { host: "203.0.113.3", port: 0 };
  kit.receive(COORDINATOR, { kind: "introduce", peer: PEER, peerReflex, fireAtMs: 0n });
  assert.equal(kit.puncher.size, 0);
  assert.equal(kit.counters.drop_introduction_limit_total, 2);
});

Deno.test("the peer's first keep-alive is answered with one ack to whoever introduced it", async () => {
  const kit = new Kit();
  kit.introduce(COORDINATOR);
  await kit.clock.advance(600);
  for (let i = 0; i < 3; i++) kit.handler?.({ senderNodeId: PEER, punchId: 0 }, PEER_REFLEX);
  assert.deepEqual(kit.sent, [
    [COORDINATOR, { kind: "ack", fromPeer: SELF, toPeer: PEER, punchId: 0 }],
  ]);
  assert.equal(kit.counters.acks_sent_total, 1);
});

Deno.test("an ack counts from the peer itself or its introducer, from nobody else", () => {
  const kit = new Kit();
  const ack = { kind: "ack", fromPeer: PEER, toPeer: SELF, punchId: 0 } as const;
  kit.receive(PEER, ack);
  assert.equal(kit.counters.drop_stale_total, 1);
  kit.introduce(COORDINATOR);
  kit.receive(STRANGER, ack);
  assert.equal(kit.counters.peer_auth_rejections_total, 1);
  assert.equal(kit.counters.acks_received_total, 0);
  kit.receive(COORDINATOR, ack);
  kit.receive(PEER, ack);
  assert.equal(kit.counters.acks_received_total, 2);
});

Deno.test("messages that cannot be read are counted", () => {
  const kit = new Kit();
  for (const bytes of [new Uint8Array(0), new Uint8Array(36).fill(2), Uint8Array.of(9)]) {
    kit.plane.receive(COORDINATOR, bytes);
  }
  assert.equal(kit.counters.drop_malformed_total, 3);
  assert.deepEqual(kit.sent, []);
});
