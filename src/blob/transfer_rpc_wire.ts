/**
 * Bodies of the service `blob.transfers` (`dataforts.md` 13): what a node fetches, told to whoever asks.
 *
 * Postcard, as the Rust core writes it: no version byte; a list, one transfer, or the end of one. Decoders give
 * `undefined` for anything else; bytes behind a message are let be, as everywhere in postcard.
 */
import { PostcardReader, PostcardWriter } from "../base/mod.ts";
import { HASH_BYTES } from "./limits.ts";

/** Name of the service. */
export const TRANSFERS_SERVICE = "blob.transfers";

/** How long an answer is waited for. */
export const TRANSFERS_DEADLINE_MS = 3_000;

/** What is asked. */
export type TransfersRequest =
  | { readonly kind: "list" }
  | { readonly kind: "get"; readonly streamId: bigint }
  | { readonly kind: "cancel"; readonly streamId: bigint };

/** One stream of a fetch. */
export interface WireTransfer {
  readonly streamId: bigint;
  readonly holder: bigint;
  readonly expectedHash: Uint8Array;
  readonly bytesReceived: bigint;
  readonly totalBytes: bigint | undefined;
}

/** What is answered. */
export type TransfersResponse =
  | { readonly kind: "transfers"; readonly transfers: readonly WireTransfer[] }
  | { readonly kind: "transfer"; readonly transfer: WireTransfer | undefined }
  | { readonly kind: "cancelled"; readonly existed: boolean }
  | { readonly kind: "error"; readonly error: "decode_failed"; readonly text: string }
  | { readonly kind: "error"; readonly error: "engine_not_installed" };

const REQUESTS = ["list", "get", "cancel"] as const;
const RESPONSES = ["transfers", "transfer", "cancelled", "error"] as const;
/** Stream, holder, hash, bytes and the tag of the total, each as short as it gets. */
const TRANSFER_BYTES_MIN = 1 + 1 + HASH_BYTES + 1 + 1;

/** Encodes a request. */
export function encodeTransfersRequest(request: TransfersRequest): Uint8Array<ArrayBuffer> {
  const writer = new PostcardWriter(12).varint(REQUESTS.indexOf(request.kind));
  if (request.kind !== "list") writer.varint(request.streamId);
  return writer.finish();
}

/** Decodes a request. */
export function decodeTransfersRequest(bytes: Uint8Array): TransfersRequest | undefined {
  const reader = new PostcardReader(bytes);
  const kind = REQUESTS[reader.variant(REQUESTS.length)];
  const request: TransfersRequest | undefined = kind === undefined || kind === "list"
    ? kind && { kind }
    : { kind, streamId: reader.u64() };
  return reader.failure === undefined ? request : undefined;
}

/** Encodes a response. */
export function encodeTransfersResponse(response: TransfersResponse): Uint8Array<ArrayBuffer> {
  const writer = new PostcardWriter(256).varint(RESPONSES.indexOf(response.kind));
  switch (response.kind) {
    case "transfers":
      writer.varint(response.transfers.length);
      for (const transfer of response.transfers) writeTransfer(writer, transfer);
      break;
    case "transfer":
      writer.flag(response.transfer !== undefined);
      if (response.transfer !== undefined) writeTransfer(writer, response.transfer);
      break;
    case "cancelled":
      writer.flag(response.existed);
      break;
    case "error":
      if (response.error === "decode_failed") writer.varint(0).text(response.text);
      else writer.varint(1);
      break;
  }
  return writer.finish();
}

/** Decodes a response; hashes are copied. */
export function decodeTransfersResponse(bytes: Uint8Array): TransfersResponse | undefined {
  const reader = new PostcardReader(bytes);
  const kind = RESPONSES[reader.variant(RESPONSES.length)];
  const response = readResponse(reader, kind);
  return reader.failure === undefined ? response : undefined;
}

function readResponse(
  reader: PostcardReader,
  kind: typeof RESPONSES[number] | undefined,
): TransfersResponse | undefined {
  switch (kind) {
    case undefined:
      return undefined;
    case "transfers": {
      const count = reader.count(TRANSFER_BYTES_MIN);
      const transfers: WireTransfer[] = [];
      for (let i = 0; i < count && reader.failure === undefined; i++) {
        transfers.push(readTransfer(reader));
      }
      return { kind, transfers };
    }
    case "transfer":
      return { kind, transfer: reader.flag() ? readTransfer(reader) : undefined };
    case "cancelled":
      return { kind, existed: reader.flag() };
    case "error": {
      const error = reader.variant(2);
      return error === 0
        ? { kind, error: "decode_failed", text: reader.text() }
        : { kind, error: "engine_not_installed" };
    }
  }
}

function writeTransfer(writer: PostcardWriter, transfer: WireTransfer): void {
  writer.varint(transfer.streamId).varint(transfer.holder).bytes(transfer.expectedHash)
    .varint(transfer.bytesReceived).flag(transfer.totalBytes !== undefined);
  if (transfer.totalBytes !== undefined) writer.varint(transfer.totalBytes);
}

function readTransfer(reader: PostcardReader): WireTransfer {
  return {
    streamId: reader.u64(),
    holder: reader.u64(),
    expectedHash: reader.bytes(HASH_BYTES).slice(),
    bytesReceived: reader.u64(),
    totalBytes: reader.flag() ? reader.u64() : undefined,
  };
}
