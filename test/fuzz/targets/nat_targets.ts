/**
 * Rendezvous messages of hostile peers against a node that coordinates, punches and waits itself: whatever
 * they say, what is sent in answer and what is kept stays small.
 */
import assert from "node:assert/strict";
import {
  createNatCounters,
  PunchCoordinator,
  Puncher,
  RendezvousPlane,
  type SocketAddress,
} from "../../../src/core/transport/mod.ts";
import {
  encodeRendezvous,
  type KeepAlive,
  type Rendezvous,
} from "../../../src/core/transport/wire/nat_frames.ts";
import { HeapClock } from "../../sim/heap_clock.ts";
import type { CreateTarget, FuzzTarget } from "../fuzz.ts";

const SELF = 1n;
const PEERS = [2n, 3n, 4n, 5n, 6n, 7n];
const STEP_MS = 500;
/** Keep-alives of 8 trains at their fastest, in one step. */
const KEEP_ALIVES_PER_STEP_MAX = 8 * 4;

function reflexOf(nodeId: bigint): SocketAddress {
  return { host: `203.0.113.${Number(nodeId & 0xffn)}`, port: 4_000 };
}

function corpus(): Uint8Array[] {
  const messages: Rendezvous[] = PEERS.flatMap((peer): Rendezvous[] => [
    { kind: "request", target: peer, punchId: 7, selfReflex: reflexOf(2n) },
    { kind: "introduce", peer, peerReflex: reflexOf(peer), fireAtMs: 1_700_000_001_500n },
    { kind: "ack", fromPeer: peer, toPeer: SELF, punchId: 0 },
    { kind: "ack", fromPeer: 2n, toPeer: peer, punchId: 0 },
    { kind: "reject", target: peer, punchId: 7, reason: 2 },
  ]);
  return messages.map(encodeRendezvous);
}

function planeTarget(): FuzzTarget {
  const clock = new HeapClock();
  const counters = createNatCounters();
  let sent = 0;
  let keepAlives = 0;
  let handler: ((keepAlive: KeepAlive, from: SocketAddress) => void) | undefined;
  const send = () => {
    sent += 1;
    return true;
  };
  const puncher = new Puncher({
    clock,
    counters,
    sendKeepAlive: () => void (keepAlives += 1),
    listen: (next) => void (handler = next),
    directSessionAgeMs: () => undefined,
  });
  const coordinator = new PunchCoordinator({
    clock,
    counters,
    peer: (nodeId) =>
      PEERS.includes(nodeId)
        ? { address: reflexOf(nodeId), isRelayed: nodeId === 7n, state: "connected" }
        : undefined,
    reflexOf: (nodeId) => PEERS.includes(nodeId) ? reflexOf(nodeId) : undefined,
    send,
  });
  const plane = new RendezvousPlane({
    nodeId: SELF,
    clock,
    random: (length) => new Uint8Array(length),
    counters,
    coordinator,
    puncher,
    send,
  });
  return {
    corpus: corpus(),
    feed: (bytes, random) => {
      const from = random.pick(PEERS);
      sent = 0;
      plane.receive(from, bytes);
      handler?.({ senderNodeId: from, punchId: 0 }, reflexOf(from));
      // Two introductions or a refusal, an ack passed on, an ack for a keep-alive.
      assert.ok(sent <= 3, `${sent} messages for one`);
      assert.ok(puncher.size <= 8);
      return sent === 0 ? undefined : sent;
    },
    settle: async () => {
      keepAlives = 0;
      await clock.advance(STEP_MS);
      assert.ok(keepAlives <= KEEP_ALIVES_PER_STEP_MAX, `${keepAlives} keep-alives`);
    },
    stop: () => {
      plane.stop();
      puncher.stop();
    },
  };
}

/** Targets of traversal. */
export const NAT_TARGETS: Readonly<Record<string, CreateTarget>> = { "nat-plane": planeTarget };
