/**
 * How fast announcements are taken in: received, checked, kept, indexed and made ready for the next hop. What
 * bounds it is checking signatures, so both are timed in turns over the same messages.
 */
import {
  AnnouncementStore,
  announcementTranscript,
  CapabilityIndex,
  decodeAnnouncement,
  encodeAnnouncement,
  ingestCapabilities,
  localAnnouncement,
} from "../src/core/capability/mod.ts";
import { createIdentity, type Identity, verifySignature } from "../src/core/crypto/mod.ts";
import { createSampleNodes, type SampleNode } from "./_index_data.ts";
import { summarize } from "./_summary.ts";

/** Microseconds per announcement, by round. */
export interface IntakeFigures {
  /** Checking its signature, and nothing else. */
  readonly checking: readonly number[];
  /** Taking it in, in turns with that. */
  readonly whole: readonly number[];
}

/** What is announced, and how long it takes. */
export interface AnnouncementFigures {
  /** What known nodes say again; one in ten has another tag than before. */
  readonly repeats: IntakeFigures;
  /** Nodes never heard of. */
  readonly firsts: IntakeFigures;
  /** Bytes of one announcement on the wire. */
  readonly bytes: number;
}

const NODES = 2_000;
/** Neighbours that pass them on, so that none is over its rate. */
const NEIGHBORS = 100;
const WALL_MS = 1_767_225_600_000;
const ROUND_MS = 150_000;
const WARM_UP = 3;
const CHANGED_EVERY = 10;
const TURN = 50;

interface Message {
  readonly bytes: Uint8Array;
  readonly entityId: Uint8Array;
  readonly transcript: Uint8Array;
  readonly signature: Uint8Array;
}

/** Times some rounds, in each of which every node announces itself once. */
export function measureAnnouncements(rounds: number): AnnouncementFigures {
  const nodes = createSampleNodes(NODES);
  const identities = nodes.map((_, i) => createIdentity(seedOf(i)));
  const known = createReceiver();
  known.takeIn(messagesOf(nodes, identities, 0), 0);
  const repeats = { checking: [] as number[], whole: [] as number[] };
  const firsts = { checking: [] as number[], whole: [] as number[] };
  let bytes = 0;
  for (let round = 1; round <= rounds + WARM_UP; round++) {
    const messages = messagesOf(nodes, identities, round);
    bytes = messages.reduce((sum, message) => sum + message.bytes.length, 0) / NODES;
    for (const [figures, receiver] of [[repeats, known], [firsts, createReceiver()]] as const) {
      const [checking, whole] = timeTurns(messages, (turn) => receiver.takeIn(turn, round));
      if (round <= WARM_UP) continue;
      figures.checking.push(checking);
      figures.whole.push(whole);
    }
  }
  return { repeats, firsts, bytes };
}

/** In small turns, so that whatever else the machine does hits both; the median turn of each. */
function timeTurns(
  messages: readonly Message[],
  takeIn: (turn: readonly Message[]) => void,
): readonly [checking: number, whole: number] {
  const [checking, whole]: [number[], number[]] = [[], []];
  for (let start = 0; start < messages.length; start += TURN) {
    const turn = messages.slice(start, start + TURN);
    checking.push(time(() => check(turn)) / turn.length);
    whole.push(time(() => takeIn(turn)) / turn.length);
  }
  return [summarize(checking).median, summarize(whole).median];
}

function createReceiver() {
  const store = new AnnouncementStore({ nodeId: 1n });
  const index = new CapabilityIndex();
  return {
    takeIn: (messages: readonly Message[], round: number) => {
      const now = round * ROUND_MS;
      for (const [i, { bytes }] of messages.entries()) {
        const verdict = store.receive(bytes, BigInt(2 + i % NEIGHBORS), now);
        if (verdict.kind !== "accepted" || verdict.forward === undefined) {
          throw new Error(`Cannot take in announcement: ${JSON.stringify(verdict.kind)}`);
        }
        const { nodeId, capabilities } = verdict.announcement;
        index.set(nodeId, { capabilities: ingestCapabilities(capabilities) });
      }
    },
  };
}

function check(messages: readonly Message[]): void {
  for (const { entityId, transcript, signature } of messages) {
    if (!verifySignature(entityId, transcript, signature)) {
      throw new Error("Cannot check signature");
    }
  }
}

function messagesOf(
  nodes: readonly SampleNode[],
  identities: readonly Identity[],
  round: number,
): readonly Message[] {
  return nodes.map(({ capabilities }, i) => {
    const identity = identities[i] ?? createIdentity(seedOf(i));
    const isChanged = (i + round) % CHANGED_EVERY === 0;
    const tags = isChanged
      ? [...capabilities.tags.slice(1), `changed:${round}`]
      : capabilities.tags;
    const announcement = localAnnouncement({
      identity,
      tags,
      metadata: capabilities.metadata,
      version: BigInt(WALL_MS + round * ROUND_MS),
      wallMs: WALL_MS + round * ROUND_MS,
    });
    const bytes = encodeAnnouncement({ ...announcement, hopCount: 1 });
    const decoded = decodeAnnouncement(bytes);
    if (!decoded.ok) throw new Error("Cannot decode announcement");
    return {
      bytes,
      entityId: identity.entityId,
      transcript: announcementTranscript(decoded.announcement),
      signature: decoded.announcement.signature ?? new Uint8Array(0),
    };
  });
}

function seedOf(i: number): Uint8Array {
  const seed = new Uint8Array(32);
  new DataView(seed.buffer).setUint32(0, i + 1);
  return seed;
}

/** Microseconds. */
function time(run: () => void): number {
  const start = performance.now();
  run();
  return (performance.now() - start) * 1000;
}
