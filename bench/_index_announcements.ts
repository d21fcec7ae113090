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

/** Microseconds per announcement; a list has a figure per round. */
export interface AnnouncementFigures {
  /** Checking its signature, and nothing else. */
  readonly checking: readonly number[];
  /** Taking in what known nodes say again; one in ten has another tag than before. */
  readonly repeats: readonly number[];
  /** Taking in nodes never heard of. */
  readonly firsts: readonly number[];
  /** Bytes of one on the wire. */
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
  const [checking, repeats, firsts]: [number[], number[], number[]] = [[], [], []];
  let bytes = 0;
  known.takeIn(messagesOf(nodes, identities, 0), 0);
  for (let round = 1; round <= rounds + WARM_UP; round++) {
    const messages = messagesOf(nodes, identities, round);
    const fresh = createReceiver();
    const spent: [number, number, number] = [0, 0, 0];
    // In small turns, so that whatever else the machine does hits all three.
    for (let start = 0; start < NODES; start += TURN) {
      const turn = messages.slice(start, start + TURN);
      spent[0] += time(() => check(turn));
      spent[1] += time(() => known.takeIn(turn, round));
      spent[2] += time(() => fresh.takeIn(turn, round));
    }
    if (round <= WARM_UP) continue;
    for (const [at, list] of [checking, repeats, firsts].entries()) {
      list.push((spent[at] ?? NaN) / NODES);
    }
    bytes = messages.reduce((sum, message) => sum + message.bytes.length, 0) / NODES;
  }
  return { checking, repeats, firsts, bytes };
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
