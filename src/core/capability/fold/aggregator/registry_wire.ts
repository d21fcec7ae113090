/**
 * Bodies of the service `aggregator.registry` (`capabilities.md` 14): which groups of aggregators a node
 * runs, and orders to change that. Who may give them is not decided here.
 *
 * Decoders give `undefined` for what they cannot read, and take no notice of bytes behind it, as the
 * reference does.
 */
import { PostcardReader, PostcardWriter } from "../../../../base/mod.ts";

/** Name of the service. */
export const AGGREGATOR_REGISTRY_SERVICE = "aggregator.registry";

/** One aggregator of a group. */
export interface AggregatorReplica {
  /** Counts so far. */
  readonly generation: bigint;
  readonly isHealthy: boolean;
  readonly diagnostic: string | undefined;
  /** Node it was put on, where that is not the answering one. */
  readonly placementNodeId: bigint | undefined;
}

/** A group of aggregators. */
export interface AggregatorGroup {
  readonly name: string;
  /** 8 bytes that stand for the seed of the group's keys. */
  readonly seedFingerprint: Uint8Array;
  readonly sourceSubnet: number;
  readonly foldKinds: readonly number[];
  readonly replicas: readonly AggregatorReplica[];
}

/** What is asked of a registry. */
export type RegistryRequest =
  | { readonly op: "list" }
  | {
    readonly op: "spawn";
    readonly template: string;
    readonly group: string;
    /** 0 to 255. */
    readonly replicas: number;
  }
  | { readonly op: "unregister"; readonly group: string }
  | {
    readonly op: "scale";
    readonly group: string;
    readonly template: string;
    /** 0 to 255. */
    readonly replicas: number;
  };

/** Kinds of failures, by their number on the wire, with what a client says of them. */
const ERRORS = [
  { kind: "codec", prefix: "codec: server-decode", hasText: true },
  { kind: "unknown-template", prefix: "unknown-template", hasText: true },
  { kind: "duplicate-group-name", prefix: "duplicate-group-name", hasText: true },
  { kind: "spawn-rejected", prefix: "spawn-rejected", hasText: true },
  { kind: "spawn-not-supported", prefix: "spawn-not-supported", hasText: false },
  { kind: "unknown-group", prefix: "unknown-group", hasText: true },
  { kind: "scale-rejected", prefix: "scale-rejected", hasText: true },
  { kind: "scale-not-supported", prefix: "scale-not-supported", hasText: false },
  { kind: "unauthorized", prefix: "unauthorized", hasText: false },
] as const;

/** Why a registry does not do what it was asked. */
export type RegistryErrorKind = (typeof ERRORS)[number]["kind"];

/** A failure; those that need no word have a fixed text. */
export interface RegistryError {
  readonly kind: RegistryErrorKind;
  readonly text: string;
}

/** What a registry answers. */
export type RegistryReply =
  | { readonly kind: "groups"; readonly groups: readonly AggregatorGroup[] }
  | { readonly kind: "spawned" | "scaled"; readonly group: AggregatorGroup }
  | { readonly kind: "unregistered"; readonly existed: boolean }
  | { readonly kind: "error"; readonly error: RegistryError };

const FINGERPRINT_BYTES = 8;
const GROUP_BYTES_MIN = 1 + FINGERPRINT_BYTES + 1 + 1 + 1;
const REPLICA_BYTES_MIN = 4;
const KIND_COUNT = 0x1_0000;

const FIXED_TEXTS: Partial<Readonly<Record<RegistryErrorKind, string>>> = {
  "spawn-not-supported": "daemon is read-only",
  "scale-not-supported": "daemon doesn't accept dynamic scale",
  "unauthorized": "caller is not an operator of the target daemon's registry",
};

/** Text of a failure as clients of the reference show it. */
export function formatRegistryError({ kind, text }: RegistryError): string {
  const { prefix = kind } = ERRORS.find((error) => error.kind === kind) ?? {};
  return `agg:${prefix}: ${FIXED_TEXTS[kind] ?? text}`;
}

/** Text of the answer of `fold.query` to a kind that is not counted there. */
export function formatUnknownKind(kind: number): string {
  return `agg:unknown-kind: 0x${kind.toString(16).padStart(4, "0")}`;
}

/** Bytes of a request. */
export function encodeRegistryRequest(request: RegistryRequest): Uint8Array<ArrayBuffer> {
  const writer = new PostcardWriter();
  switch (request.op) {
    case "list":
      return writer.varint(0).finish();
    case "spawn":
      writer.varint(1).text(request.template).text(request.group);
      return writer.u8(request.replicas).finish();
    case "unregister":
      return writer.varint(2).text(request.group).finish();
    case "scale":
      writer.varint(3).text(request.group).text(request.template);
      return writer.u8(request.replicas).finish();
  }
}

/** Reads a request. */
export function decodeRegistryRequest(bytes: Uint8Array): RegistryRequest | undefined {
  const reader = new PostcardReader(bytes);
  const request = readRequest(reader);
  return reader.failure === undefined ? request : undefined;
}

/** Bytes of an answer. */
export function encodeRegistryReply(reply: RegistryReply): Uint8Array<ArrayBuffer> {
  const writer = new PostcardWriter(256);
  switch (reply.kind) {
    case "groups":
      writer.varint(0).list(reply.groups, (group) => writeGroup(writer, group));
      break;
    case "spawned":
      writeGroup(writer.varint(1), reply.group);
      break;
    case "unregistered":
      writer.varint(2).flag(reply.existed);
      break;
    case "scaled":
      writeGroup(writer.varint(3), reply.group);
      break;
    case "error": {
      const { kind, text } = reply.error;
      const number = ERRORS.findIndex((error) => error.kind === kind);
      writer.varint(4).varint(number);
      if (ERRORS[number]?.hasText) writer.text(text);
    }
  }
  return writer.finish();
}

/** Reads an answer. */
export function decodeRegistryReply(bytes: Uint8Array): RegistryReply | undefined {
  const reader = new PostcardReader(bytes);
  const reply = readReply(reader);
  return reader.failure === undefined ? reply : undefined;
}

function readRequest(reader: PostcardReader): RegistryRequest {
  switch (reader.variant(4)) {
    case 1:
      return { op: "spawn", template: reader.text(), group: reader.text(), replicas: reader.u8() };
    case 2:
      return { op: "unregister", group: reader.text() };
    case 3:
      return { op: "scale", group: reader.text(), template: reader.text(), replicas: reader.u8() };
    default:
      return { op: "list" };
  }
}

function readReply(reader: PostcardReader): RegistryReply | undefined {
  switch (reader.variant(5)) {
    case 0:
      return { kind: "groups", groups: reader.list(GROUP_BYTES_MIN, () => readGroup(reader)) };
    case 1:
      return { kind: "spawned", group: readGroup(reader) };
    case 2:
      return { kind: "unregistered", existed: reader.flag() };
    case 3:
      return { kind: "scaled", group: readGroup(reader) };
    default: {
      const error = ERRORS[reader.variant(ERRORS.length)];
      if (error === undefined) return undefined;
      const { kind, hasText } = error;
      return { kind: "error", error: { kind, text: hasText ? reader.text() : "" } };
    }
  }
}

function writeGroup(writer: PostcardWriter, group: AggregatorGroup): void {
  if (group.seedFingerprint.length !== FINGERPRINT_BYTES) {
    throw new RangeError(
      `Cannot encode group: fingerprint has ${group.seedFingerprint.length} bytes, must be ` +
        `${FINGERPRINT_BYTES}`,
    );
  }
  writer.text(group.name).bytes(group.seedFingerprint).varint(group.sourceSubnet);
  writer.list(group.foldKinds, (kind) => writer.varint(kind));
  writer.list(group.replicas, (replica) => {
    writer.varint(replica.generation).flag(replica.isHealthy);
    writer.option(replica.diagnostic, (text) => writer.text(text));
    writer.option(replica.placementNodeId, (nodeId) => writer.varint(nodeId));
  });
}

function readGroup(reader: PostcardReader): AggregatorGroup {
  return {
    name: reader.text(),
    seedFingerprint: reader.bytes(FINGERPRINT_BYTES).slice(),
    sourceSubnet: reader.u32(),
    foldKinds: reader.list(1, () => reader.variant(KIND_COUNT)),
    replicas: reader.list(REPLICA_BYTES_MIN, () => ({
      generation: reader.u64(),
      isHealthy: reader.flag(),
      diagnostic: reader.option(() => reader.text()),
      placementNodeId: reader.option(() => reader.u64()),
    })),
  };
}
