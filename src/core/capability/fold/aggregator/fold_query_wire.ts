/**
 * Bodies of the service `fold.query` (`capabilities.md` 14): summaries, and between nodes of ours the
 * entries behind them (promise C1).
 *
 * Operations 0 and 1 and answers 0 and 1 are the reference's; operation 2 and answer 2 are ours. A
 * reference that is asked for entries answers that it cannot decode the question. Decoders take no
 * notice of bytes behind a body, as the reference does.
 */
import { PostcardReader, PostcardWriter } from "../../../../base/mod.ts";
import { ENTITY_ID_BYTES } from "../../../crypto/mod.ts";
import { type AnyFoldEnvelope, decodeFoldEnvelope, encodeFoldEnvelope } from "../envelope.ts";
import { type FoldSummary, readSummary, SUMMARY_BYTES_MIN, writeSummary } from "./summary.ts";

/** Name of the service. */
export const FOLD_QUERY_SERVICE = "fold.query";

/** What is asked. */
export type FoldQueryRequest =
  /** What is kept, or a count made now. */
  | { readonly op: "latest" | "now"; readonly kind: number }
  | {
    readonly op: "detail";
    readonly kind: number;
    /** Only of this class. */
    readonly classHash: bigint | undefined;
    /** Made by `encodeDetailQuery`. */
    readonly query: Uint8Array;
    /** Most entries wanted, 0 for as many as fit. */
    readonly limit: number;
    /** Where the last answer ended; empty for the first. */
    readonly cursor: Uint8Array;
  };

/** One entry of an answer. */
export interface DetailEntry {
  /** Signed, unless the answering node put it together itself. */
  readonly envelope: AnyFoldEnvelope;
  /** Entity id of the publisher, by which the signature can be verified. */
  readonly publisher: Uint8Array | undefined;
  /** Life left in milliseconds. */
  readonly leftMs: number;
}

/** What is answered. */
export type FoldQueryReply =
  | {
    readonly kind: "summaries";
    readonly foldKind: number;
    readonly summaries: readonly FoldSummary[];
  }
  | { readonly kind: "unknown_kind"; readonly foldKind: number }
  | { readonly kind: "decode_failed"; readonly text: string }
  | {
    readonly kind: "detail";
    readonly foldKind: number;
    /** Entries that match, those of other answers included. */
    readonly total: number;
    readonly entries: readonly DetailEntry[];
    /** Asks for what comes after; empty when nothing does. */
    readonly cursor: Uint8Array;
  };

const OPS = ["latest", "now", "detail"] as const;
const KIND_COUNT = 0x1_0000;
/** Life, no publisher, length and the shortest unsigned envelope. */
const ENTRY_BYTES_MIN = 1 + 1 + 1 + 10;
/** Longest cursor: a node id and a key. */
const CURSOR_BYTES_MAX = 64;

/** Bytes of a request. */
export function encodeFoldQueryRequest(request: FoldQueryRequest): Uint8Array<ArrayBuffer> {
  const writer = new PostcardWriter().varint(request.kind).varint(OPS.indexOf(request.op));
  if (request.op !== "detail") return writer.finish();
  writer.option(request.classHash, (hash) => writer.varint(hash));
  return writer.byteVector(request.query).varint(request.limit).byteVector(request.cursor)
    .finish();
}

/** Reads a request; `undefined` for anything else. Bytes in it are views. */
export function decodeFoldQueryRequest(bytes: Uint8Array): FoldQueryRequest | undefined {
  const reader = new PostcardReader(bytes);
  const kind = reader.variant(KIND_COUNT);
  const op = OPS[reader.variant(OPS.length)] ?? "latest";
  const request: FoldQueryRequest = op === "detail"
    ? {
      op,
      kind,
      classHash: reader.option(() => reader.u64()),
      query: reader.byteVector(),
      limit: reader.u32(),
      cursor: reader.byteVector(),
    }
    : { op, kind };
  if (reader.failure !== undefined) return undefined;
  return request.op === "detail" && request.cursor.length > CURSOR_BYTES_MAX ? undefined : request;
}

/** Bytes of an answer. */
export function encodeFoldQueryReply(reply: FoldQueryReply): Uint8Array<ArrayBuffer> {
  const writer = new PostcardWriter(256);
  switch (reply.kind) {
    case "summaries":
      writer.varint(0).varint(reply.foldKind);
      writer.list(reply.summaries, (summary) => writeSummary(writer, summary));
      break;
    case "unknown_kind":
      writer.varint(1).varint(0).varint(reply.foldKind);
      break;
    case "decode_failed":
      writer.varint(1).varint(1).text(reply.text);
      break;
    case "detail":
      writer.varint(2).varint(reply.foldKind).varint(reply.total);
      writer.list(reply.entries, (entry) => writer.bytes(encodeDetailEntry(entry)));
      writer.byteVector(reply.cursor);
  }
  return writer.finish();
}

/** Bytes of one entry within an answer. */
export function encodeDetailEntry(entry: DetailEntry): Uint8Array<ArrayBuffer> {
  const writer = new PostcardWriter(256).varint(Math.max(0, Math.round(entry.leftMs)));
  writer.option(entry.publisher, (entityId) => writer.bytes(entityId));
  return writer.byteVector(encodeFoldEnvelope(entry.envelope)).finish();
}

/** Reads an answer; `undefined` for anything else. Entries that cannot be read are left out. */
export function decodeFoldQueryReply(bytes: Uint8Array): FoldQueryReply | undefined {
  const reader = new PostcardReader(bytes);
  const reply = readReply(reader);
  return reader.failure === undefined ? reply : undefined;
}

function readReply(reader: PostcardReader): FoldQueryReply {
  switch (reader.variant(3)) {
    case 0:
      return {
        kind: "summaries",
        foldKind: reader.variant(KIND_COUNT),
        summaries: reader.list(SUMMARY_BYTES_MIN, () => readSummary(reader)),
      };
    case 1:
      return reader.variant(2) === 0
        ? { kind: "unknown_kind", foldKind: reader.variant(KIND_COUNT) }
        : { kind: "decode_failed", text: reader.text() };
    default:
      return {
        kind: "detail",
        foldKind: reader.variant(KIND_COUNT),
        total: reader.u32(),
        entries: reader.list(ENTRY_BYTES_MIN, () => readEntry(reader))
          .filter((entry) => entry !== undefined),
        cursor: reader.byteVector().slice(),
      };
  }
}

function readEntry(reader: PostcardReader): DetailEntry | undefined {
  const leftMs = Number(reader.u64());
  const publisher = reader.option(() => reader.bytes(ENTITY_ID_BYTES).slice());
  const decoded = decodeFoldEnvelope(reader.byteVector(), { isUnsignedTaken: true });
  if (!decoded.ok || !Number.isSafeInteger(leftMs)) return undefined;
  return { envelope: decoded.envelope, publisher, leftMs };
}
