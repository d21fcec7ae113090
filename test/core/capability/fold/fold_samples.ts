/** Fold envelopes for the tests of this folder. */
import fc from "fast-check";
import {
  type AnyFoldEnvelope,
  type CapabilityMembership,
  type FoldEnvelope,
  type IslandTopology,
  NODE_STATES,
  type ReservationState,
  type RouteClaim,
  signFoldEnvelope,
} from "../../../../src/core/capability/mod.ts";
import type { Identity } from "../../../../src/core/crypto/mod.ts";
import { identityOf } from "../samples.ts";

/** 2026-01-01 in Unix microseconds. */
export const WALL_US = 1_767_225_600_000_000n;

const HEAD = {
  classHash: 0n,
  nodeId: identityOf(1).nodeId,
  generation: 1n,
  announcedAtUs: WALL_US,
  ttlSeconds: undefined,
  flags: 0,
  signature: undefined,
};

/** A membership without anything, changed by `options`. */
export function membership(options: Partial<CapabilityMembership> = {}): CapabilityMembership {
  return {
    classHash: 0n,
    tags: ["gpu"],
    hardware: undefined,
    state: "idle",
    region: undefined,
    priceQuote: undefined,
    reflexAddress: undefined,
    allowedNodes: [],
    allowedSubnets: [],
    allowedGroups: [],
    metadata: new Map(),
    ...options,
  };
}

/** Head of an envelope: what a test cares about. */
export type Head = Partial<
  Pick<AnyFoldEnvelope, "nodeId" | "generation" | "announcedAtUs" | "ttlSeconds" | "classHash">
>;

/** Unsigned membership of a node. */
export function membershipOf(
  head: Head = {},
  options: Partial<CapabilityMembership> = {},
): FoldEnvelope<1> {
  const envelope = { ...HEAD, ...head };
  return {
    ...envelope,
    kind: 1,
    payload: membership({ classHash: envelope.classHash, ...options }),
  };
}

/** Unsigned route to node 50. */
export function routeOf(head: Head = {}, options: Partial<RouteClaim> = {}): FoldEnvelope<2> {
  const payload = { destination: 50n, nextHop: 2n, metric: 3, via: 2n, ...options };
  return { ...HEAD, ...head, kind: 2, payload };
}

/** Unsigned reservation of resource 5. */
export function reservationOf(
  head: Head,
  state: ReservationState,
  resourceId = 5n,
): FoldEnvelope<3> {
  return { ...HEAD, ...head, kind: 3, payload: { resourceId, state } };
}

/** Unsigned island 9 of a node. */
export function islandOf(
  head: Head = {},
  options: Partial<IslandTopology> = {},
): FoldEnvelope<4> {
  const envelope = { ...HEAD, ...head };
  const payload = {
    id: 9n,
    units: [1, 2],
    host: envelope.nodeId,
    capabilities: ["x"],
    load: 0.5,
    p50LatencyUs: 300,
    ...options,
  };
  return { ...envelope, kind: 4, payload };
}

/** The envelope signed by `identity`, in its name. */
export function signedBy<E extends AnyFoldEnvelope>(identity: Identity, envelope: E): E {
  return signFoldEnvelope({ ...envelope, nodeId: identity.nodeId }, identity);
}

/** A record with the prototype that decoded ones have. */
const record = <T>(model: { [Key in keyof T]: fc.Arbitrary<T[Key]> }) =>
  fc.record(model, { noNullPrototype: true });
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const u32 = fc.nat(0xffff_ffff);
const text = fc.string({ unit: "binary", maxLength: 12 });
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const byteList = (length: number) =>
  fc.array(fc.uint8Array({ minLength: length, maxLength: length }), { maxLength: 3 });

const anyMembership = record({
  classHash: u64,
  tags: fc.array(text.filter((tag) => tag !== ""), { maxLength: 6 }),
  hardware: maybe(record({
    gpuVendor: maybe(text),
    gpuCount: fc.nat(255),
    memoryGb: maybe(u32),
    vramGb: maybe(u32),
  })),
  state: fc.constantFrom(...NODE_STATES),
  region: maybe(text),
  priceQuote: maybe(u64),
  reflexAddress: maybe(record({
    host: fc.constantFrom("192.0.2.1", "2001:db8::1", "::", "::ffff:c000:201"),
    port: fc.nat(0xffff),
  })),
  allowedNodes: fc.array(u64, { maxLength: 4 }),
  allowedSubnets: byteList(16),
  allowedGroups: byteList(32),
  metadata: fc.array(fc.tuple(text, text), { maxLength: 4 }).map((entries) => new Map(entries)),
});

const anyState: fc.Arbitrary<ReservationState> = fc.oneof(
  fc.constant({ kind: "free" } as const),
  record({ kind: fc.constant("reserved" as const), holder: u64, untilUs: u64 }),
  record({ kind: fc.constant("active" as const), holder: u64, jobId: u64 }),
);

const anyHead = record({
  classHash: u64,
  nodeId: u64,
  generation: u64,
  announcedAtUs: u64,
  ttlSeconds: maybe(u32),
  flags: fc.nat(255),
});

/** Any sound envelope, unsigned. */
export const anyEnvelope: fc.Arbitrary<AnyFoldEnvelope> = fc.oneof(
  fc.tuple(anyHead, anyMembership).map(([head, payload]): AnyFoldEnvelope => ({
    ...HEAD,
    ...head,
    kind: 1,
    payload: { ...payload, classHash: head.classHash },
  })),
  fc.tuple(anyHead, record({ destination: u64, nextHop: u64, metric: u32, via: u64 })).map((
    [head, payload],
  ): AnyFoldEnvelope => ({ ...HEAD, ...head, kind: 2, payload })),
  fc.tuple(anyHead, record({ resourceId: u64, state: anyState })).map((
    [head, payload],
  ): AnyFoldEnvelope => ({ ...HEAD, ...head, kind: 3, payload })),
  fc.tuple(
    anyHead,
    record({
      id: u64,
      units: fc.uniqueArray(u32, { maxLength: 6 }).map((units) => units.sort((a, b) => a - b)),
      host: u64,
      capabilities: fc.array(text, { maxLength: 4 }),
      load: fc.float({ noNaN: true, noDefaultInfinity: true }),
      p50LatencyUs: u32,
    }),
  ).map(([head, payload]): AnyFoldEnvelope => ({ ...HEAD, ...head, kind: 4, payload })),
);
