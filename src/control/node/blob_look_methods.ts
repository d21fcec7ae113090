/** Methods that show what blobs there are; all of them privileged. */
import * as v from "../../schema/mod.ts";
import { idToHex, NetError, toHex } from "../../base/mod.ts";
import {
  type BlobCursor,
  type BlobFilter,
  type BlobTarget,
  encodeBlobRef,
  findByte,
  parseBlobTarget,
} from "../../blob/mod.ts";
import type { Node } from "../../node.ts";
import { defineMethod, type Method } from "../method.ts";
import {
  BLOB_TARGET,
  describeChunk,
  describeForm,
  describePlace,
  describeRecord,
} from "./blob_view.ts";

const LIST_LIMIT = 500;
/** Bytes of references in one page: their hex fits the 1 MiB line of the control surface three times over. */
const PAGE_REF_BYTES_MAX = 128 * 1024;
const CURSOR = v.optional(v.pipe(v.string(), v.maxLength(200)));
const PREFIX = v.optional(v.pipe(v.string(), v.maxLength(67)));

/** The methods that show blobs. */
export function blobLookMethods(node: Node): readonly Method[] {
  return [
    defineMethod({
      name: "blob.list",
      access: "privileged",
      summary: "Blobs of this node, newest first",
      isReadOnly: true,
      params: v.object({
        cursor: CURSOR,
        prefix: PREFIX,
        kind: v.optional(v.picklist(["blob", "directory"])),
        origin: v.optional(v.picklist(["put", "fetched", "replica", "cached"])),
        label: v.optional(v.pipe(v.string(), v.maxLength(255))),
        pinned: v.optional(v.boolean()),
      }),
      handle: async ({ cursor, prefix, pinned, ...words }) => {
        const given: BlobFilter = {
          ...words,
          prefix: prefix === undefined ? undefined : parsePrefix(prefix),
          isPinned: pinned,
        };
        const filter = Object.values(given).some((value) => value !== undefined)
          ? given
          : undefined;
        const page = await node.storage.blobs.list({
          limit: LIST_LIMIT,
          after: cursor === undefined ? undefined : parseCursor(cursor),
          filter,
        });
        const blobs = page.blobs.slice(0, fitting(page.blobs.map(({ blobRef }) => blobRef.length)));
        const last = blobs.length < page.blobs.length ? blobs.at(-1) : undefined;
        const next = last ?? page.next;
        return {
          blobs: blobs.map(describeRecord),
          next: next === undefined ? null : `${next.createdAtMs}:${toHex(next.address)}`,
        };
      },
    }),
    defineMethod({
      name: "blob.chunks",
      access: "privileged",
      summary: "Chunks of this node by hash, whatever refers to them",
      isReadOnly: true,
      params: v.object({ cursor: CURSOR, prefix: PREFIX }),
      handle: async ({ cursor, prefix }) => {
        const chunks = await node.storage.blobs.listChunks({
          limit: LIST_LIMIT,
          after: cursor === undefined ? undefined : parseHash(cursor),
          prefix: prefix === undefined ? undefined : parsePrefix(prefix),
        });
        const last = chunks.length === LIST_LIMIT ? chunks.at(-1) : undefined;
        return {
          chunks: chunks.map(describeChunk),
          next: last === undefined ? null : toHex(last.hash),
        };
      },
    }),
    defineMethod({
      name: "blob.path",
      access: "privileged",
      summary: "The nodes, the stripe and the chunk in which one byte of a blob lies",
      isReadOnly: true,
      params: v.object({
        target: BLOB_TARGET,
        offset: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
      }),
      handle: async ({ target, offset }, { signal }) => {
        const parsed = parseBlobTarget(target);
        const ref = parsed.kind === "address"
          ? (await node.blobs.locate(parsed, { signal })).ref
          : parsed;
        const readNode = (hash: Uint8Array) => node.storage.blobs.readChunk(hash);
        return describePlace(await findByte(ref, BigInt(offset), readNode));
      },
    }),
    defineMethod({
      name: "blob.stat",
      access: "privileged",
      summary: "What is known of a blob, here or by peers",
      isReadOnly: true,
      params: v.object({ target: BLOB_TARGET }),
      handle: async ({ target }, { signal }) => {
        const parsed = parseBlobTarget(target);
        return await statHere(node, parsed) ?? await statThere(node, parsed, signal);
      },
    }),
  ];
}

async function statHere(node: Node, target: BlobTarget): Promise<object | undefined> {
  const facts = await node.keeping.care.look(target);
  if (facts?.blob === undefined) return undefined;
  const { record, state } = facts.blob;
  return {
    ...describeRecord(record),
    local: true,
    chunks_present: state.present,
    chunks_missing: state.chunks - state.present,
    bytes_present: state.presentBytes,
    refcount: facts.chunk?.refcount ?? null,
    first_seen: timeOf(state.firstSeenMs),
    last_seen: timeOf(state.lastSeenMs),
    held: state.holds.length > 0,
    copies_wanted: state.copiesWanted ?? null,
    holders: state.holders.map(({ nodeId, seenAtMs }) => ({
      node: idToHex(nodeId),
      seen_at: timeOf(seenAtMs),
    })),
  };
}

/** What peers say of a blob that is not here. */
async function statThere(node: Node, target: BlobTarget, signal: AbortSignal): Promise<object> {
  const { ref, peer, isSizeKnown } = await node.blobs.locate(target, { signal });
  if (target.kind === "address" && peer === undefined && !isSizeKnown) {
    throw new NetError("not_found", "Cannot find blob: neither this node nor a peer knows it", {
      next: "connect to a node that holds it, or try net blob get: old nodes do not tell",
    });
  }
  const blobRef = encodeBlobRef(ref);
  return {
    address: target.kind === "address" || target.kind === "small"
      ? `b3:${toHex(target.hash)}`
      : null,
    blob_ref: toHex(blobRef),
    size: Number(ref.size),
    chunks: ref.kind === "manifest" ? ref.chunks.length : ref.kind === "small" ? 1 : null,
    ...describeForm(blobRef),
    local: false,
    told_by: peer === undefined ? null : peer.toString(16).padStart(16, "0"),
  };
}

/** How many references fit in one answer; one at least. */
function fitting(lengths: readonly number[]): number {
  let bytes = 0;
  const index = lengths.findIndex((length) => (bytes += length) > PAGE_REF_BYTES_MAX);
  return index < 0 ? lengths.length : Math.max(1, index);
}

function timeOf(wallMs: number | undefined): string | null {
  return wallMs === undefined ? null : new Date(wallMs).toISOString();
}

/** Hex digits that hashes begin with, with or without `b3:`. */
function parsePrefix(text: string): string {
  const digits = /^(?:b3:)?([0-9a-f]{1,64})$/.exec(text.toLowerCase())?.[1];
  if (digits !== undefined) return digits;
  throw new NetError(
    "usage",
    `Cannot list blobs: prefix is "${text}", must be 1 to 64 hex digits`,
    {
      next: "give the first digits of an address, such as 0a3f",
    },
  );
}

function parseCursor(text: string): BlobCursor {
  const match = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text);
  if (match === null) throw badCursor();
  return { createdAtMs: Number(match[1]), address: Uint8Array.fromHex(match[2] ?? "") };
}

function parseHash(text: string): Uint8Array {
  if (!/^[0-9a-f]{64}$/.test(text)) throw badCursor();
  return Uint8Array.fromHex(text);
}

function badCursor(): NetError {
  return new NetError("usage", "Cannot list blobs: the cursor is not one of ours", {
    next: "begin again without a cursor",
  });
}
