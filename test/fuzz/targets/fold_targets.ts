/** Decoders of folds: envelopes, relayed ones, snapshots. */

import assert from "node:assert/strict";
import {
  type AnyFoldEnvelope,
  decodeFoldEnvelope,
  decodeFoldSnapshot,
  decodeRelayedFold,
  encodeFoldEnvelope,
  encodeFoldSnapshot,
  encodeRelayedFold,
  FOLD_KINDS,
  FoldRelay,
  FoldSet,
  signFoldEnvelope,
  verifyFoldEnvelope,
} from "../../../src/core/capability/mod.ts";
import { createIdentity } from "../../../src/core/crypto/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { assertSame, type CreateTarget, type FuzzTarget } from "../fuzz.ts";
import { FuzzRandom } from "../fuzz_random.ts";

const random = new FuzzRandom(11);
const identity = createIdentity(new Uint8Array(32).fill(5));
/** Lists of short texts and of small numbers that are bigints. */
const RICH = { factor: 64, base: 4_096 };

/** Signed envelopes of every kind. */
function envelopes(): readonly AnyFoldEnvelope[] {
  const head = () => ({
    classHash: random.u64(),
    nodeId: identity.nodeId,
    generation: random.u64() | 1n,
    announcedAtUs: random.u64(),
    ttlSeconds: random.below(2) === 0 ? undefined : random.below(1_000),
    flags: 0,
    signature: undefined,
  });
  const unsigned: AnyFoldEnvelope[] = [];
  for (let i = 0; i < 8; i++) {
    const classHash = random.u64();
    unsigned.push({
      ...head(),
      classHash,
      kind: 1,
      payload: {
        classHash,
        tags: Array.from({ length: random.below(6) }, (_, n) => `tag.${n}@${random.below(9)}`),
        hardware: i % 2 === 0
          ? { gpuVendor: "amd", gpuCount: 2, memoryGb: 64, vramGb: undefined }
          : undefined,
        state: "busy",
        region: i % 3 === 0 ? "eu" : undefined,
        priceQuote: i % 4 === 0 ? random.u64() : undefined,
        reflexAddress: i % 2 === 0 ? { host: "192.0.2.1", port: 7_000 } : undefined,
        allowedNodes: i % 3 === 0 ? [random.u64()] : [],
        allowedSubnets: i % 4 === 0 ? [random.bytes(16)] : [],
        allowedGroups: i % 5 === 0 ? [random.bytes(32)] : [],
        metadata: new Map(i % 2 === 0 ? [["a", "1"], ["b", "é"]] : []),
      },
    });
    const [destination, nextHop, via] = [random.u64(), random.u64(), random.u64()];
    unsigned.push({ ...head(), kind: 2, payload: { destination, nextHop, metric: i, via } });
    const holder = random.u64();
    const states = [
      { kind: "free" as const },
      { kind: "reserved" as const, holder, untilUs: random.u64() },
      { kind: "active" as const, holder, jobId: random.u64() },
    ];
    const state = random.pick(states);
    unsigned.push({ ...head(), kind: 3, payload: { resourceId: random.u64(), state } });
    const island = { id: random.u64(), host: random.u64(), load: 0.25, p50LatencyUs: 300 };
    const capabilities = ["x", "y"].slice(random.below(3));
    unsigned.push({ ...head(), kind: 4, payload: { ...island, units: [1, 2, 300], capabilities } });
  }
  return unsigned.map((envelope) => signFoldEnvelope(envelope, identity));
}

function envelopeTarget(): FuzzTarget {
  return {
    corpus: envelopes().map(encodeFoldEnvelope),
    growth: RICH,
    feed: (bytes) => {
      const decoded = decodeFoldEnvelope(bytes);
      if (!decoded.ok) return undefined;
      assertSame(encodeFoldEnvelope(decoded.envelope), bytes);
      return decoded.envelope;
    },
  };
}

/** Forged envelopes: only what the publisher signed verifies. */
function signatureTarget(): FuzzTarget {
  const corpus = envelopes().map(encodeFoldEnvelope);
  const signed = new Set(corpus.map((bytes) => bytes.toHex()));
  return {
    corpus,
    growth: RICH,
    feed: (bytes) => {
      const decoded = decodeFoldEnvelope(bytes);
      if (!decoded.ok) return undefined;
      if (verifyFoldEnvelope(decoded.envelope, identity.entityId) !== undefined) return undefined;
      assert.ok(signed.has(bytes.toHex()));
      return decoded.envelope;
    },
  };
}

function relayedFrames(): readonly Uint8Array[] {
  return envelopes().flatMap((envelope, i) =>
    encodeRelayedFold({
      hops: 1 + i % 15,
      publisher: identity.entityId,
      envelope: encodeFoldEnvelope(envelope),
    }) ?? []
  );
}

function relayFrameTarget(): FuzzTarget {
  return {
    corpus: relayedFrames(),
    feed: (bytes) => {
      const relayed = decodeRelayedFold(bytes);
      if (relayed === undefined) return undefined;
      assertSame(encodeRelayedFold(relayed) ?? new Uint8Array(0), bytes);
      return relayed;
    },
  };
}

/** A whole node's folds: whatever comes, nothing is forged, counted twice or kept beyond the bounds. */
function foldGateTarget(): FuzzTarget {
  const clock = new ManualClock();
  const folds = new FoldSet({ clock }, { nodeId: 1n });
  const relay = new FoldRelay({ clock, folds }, 1n);
  const nowUs = BigInt(Math.round(clock.wallMs() * 1000));
  const said = envelopes().map((envelope) =>
    signFoldEnvelope({ ...envelope, announcedAtUs: nowUs, ttlSeconds: 300 }, identity)
  );
  const direct = said.map(encodeFoldEnvelope);
  const frames = direct.flatMap((envelope) =>
    encodeRelayedFold({ hops: 1, publisher: identity.entityId, envelope }) ?? []
  );
  return {
    corpus: [...direct, ...frames],
    feed: (bytes, random) => {
      const result = random.below(2) === 0
        ? relay.receiveDirect(bytes, identity.entityId)
        : relay.receiveRelayed(bytes, BigInt(random.below(5)));
      for (const fold of folds.all()) {
        for (const { envelope } of fold.values(clock.now())) {
          assert.equal(envelope.nodeId, identity.nodeId);
        }
      }
      if (result.kind !== "taken" || result.verdict.kind === "dropped") return undefined;
      return result.verdict.kind;
    },
    settle: async () => {
      await clock.advance(random.below(20_000));
      folds.sweep();
      const { receivedTotal, takenTotal, dropped } = relay.counters;
      const drops = Object.values(dropped).reduce((sum, count) => sum + count, 0);
      assert.equal(receivedTotal, takenTotal + drops);
    },
  };
}

function snapshotTarget(): FuzzTarget {
  const time = { nowMs: 0, wallUs: 0n };
  const said = envelopes();
  const entries = said.map((envelope, i) => ({
    envelope,
    expiresAt: 1 + random.below(100_000),
    publisher: i % 2 === 0 ? identity.entityId : undefined,
  }));
  return {
    corpus: FOLD_KINDS.map((kind) =>
      encodeFoldSnapshot(kind, entries.filter(({ envelope }) => envelope.kind === kind), time)
    ),
    growth: RICH,
    feed: (bytes) => decodeFoldSnapshot(FOLD_KINDS.find((kind) => kind === bytes[1]) ?? 1, bytes),
  };
}

/** Targets of this file by name. */
export const FOLD_TARGETS: Readonly<Record<string, CreateTarget>> = {
  fold_envelope: envelopeTarget,
  fold_signature: signatureTarget,
  fold_relay_frame: relayFrameTarget,
  fold_gate: foldGateTarget,
  fold_snapshot: snapshotTarget,
};
