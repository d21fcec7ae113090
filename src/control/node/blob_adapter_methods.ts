/** Methods about stores of blobs beside the node's own; all of them privileged. */
import * as v from "../../schema/mod.ts";
import { NetError, toHex } from "../../base/mod.ts";
import { parseAddress, parseBlobTarget } from "../../blob/mod.ts";
import type { Node } from "../../node.ts";
import { ADAPTER_SPEC, type AdapterView } from "../../services/mod.ts";
import { defineMethod, type Method } from "../method.ts";

const ID = v.pipe(v.string(), v.minLength(1), v.maxLength(64));
const TARGET = v.pipe(v.string(), v.minLength(1), v.maxLength(1_000_000));
const ADDRESS = v.pipe(v.string(), v.minLength(1), v.maxLength(100));
const CHANNEL = v.pipe(v.string(), v.minLength(1), v.maxLength(255));
const SEQ = v.pipe(v.string(), v.regex(/^[0-9]{1,20}$/));
/** What fits a line as base64; longer ones go to a file. */
const INLINE_BYTES_MAX = 512 * 1024;

/** The methods about adapters. */
export function blobAdapterMethods(node: Pick<Node, "adapters">): readonly Method[] {
  return [
    defineMethod({
      name: "blob.adapter_list",
      access: "privileged",
      summary: "Stores of blobs beside the node's own, and which channel publishes with which",
      isReadOnly: true,
      params: v.object({}),
      handle: () => ({
        adapters: node.adapters.list().map(describe),
        channels: node.adapters.choices(),
      }),
    }),
    defineMethod({
      name: "blob.adapter_add",
      access: "privileged",
      summary: "Add a store of blobs; its credentials stay where they are",
      isReadOnly: false,
      params: v.object({ adapter: ADAPTER_SPEC }),
      handle: async ({ adapter }) => describe(await node.adapters.add(adapter)),
    }),
    defineMethod({
      name: "blob.adapter_remove",
      access: "privileged",
      summary: "Forget a store of blobs; what it holds stays",
      isReadOnly: false,
      params: v.object({ id: ID }),
      handle: async ({ id }) => {
        await node.adapters.remove(id);
        return { removed: true, id };
      },
    }),
    defineMethod({
      name: "blob.adapter_check",
      access: "privileged",
      summary: "Store, read and remove a few bytes in a store",
      isReadOnly: false,
      params: v.object({ id: ID }),
      handle: async ({ id }, { signal }) => ({ id, ...await node.adapters.check(id, signal) }),
    }),
    defineMethod({
      name: "blob.adapter_push",
      access: "privileged",
      summary: "Copy a blob to a store, as one piece",
      isReadOnly: false,
      params: v.object({ id: ID, target: TARGET }),
      handle: async ({ id, target }, { signal }) => {
        const pushed = await node.adapters.push(id, parseBlobTarget(target), signal);
        const { address, uri } = pushed;
        return { id, address, uri, blob_ref: toHex(pushed.blobRef) };
      },
    }),
    defineMethod({
      name: "blob.adapter_pull",
      access: "privileged",
      summary: "Copy a blob from a store into this node",
      isReadOnly: false,
      params: v.object({ id: ID, address: ADDRESS }),
      handle: async ({ id, address }, { signal }) => {
        const hash = parseAddress(address);
        if (hash === undefined) {
          throw new NetError(
            "usage",
            "Cannot copy blob: the address must be b3: and 64 hex digits",
          );
        }
        const stored = await node.adapters.pull(id, hash, signal);
        return { id, address: stored.address, size: stored.size, blob_ref: toHex(stored.blobRef) };
      },
    }),
    defineMethod({
      name: "blob.adapter_use",
      access: "privileged",
      summary: "Choose the store that the blobs of a channel are published with",
      isReadOnly: false,
      params: v.object({ channel: CHANNEL, id: v.nullable(ID) }),
      handle: async ({ channel, id }) => {
        await node.adapters.choose(channel, id ?? undefined);
        return { channel, id };
      },
    }),
    defineMethod({
      name: "blob.adapter_publish",
      access: "privileged",
      summary:
        "Copy a blob to the store of a channel, and append its reference to the channel's log",
      isReadOnly: false,
      params: v.object({ channel: CHANNEL, target: TARGET }),
      handle: async ({ channel, target }, { signal }) => {
        const published = await node.adapters.publish(channel, parseBlobTarget(target), signal);
        const { address, uri, blobRef, seq } = published;
        return { channel, seq: String(seq), address, uri, blob_ref: toHex(blobRef) };
      },
    }),
    defineMethod({
      name: "blob.resolve",
      access: "privileged",
      summary: "Bytes of an event of a log: its payload, or what that refers to; base64 to 512 KiB",
      isReadOnly: true,
      params: v.object({
        channel: CHANNEL,
        seq: SEQ,
        output: v.optional(v.pipe(v.string(), v.startsWith("/"), v.maxLength(4_096))),
      }),
      handle: async ({ channel, seq, output }, { signal }) => {
        const { bytes, uri } = await node.adapters.resolveAt(channel, BigInt(seq), signal);
        const facts = { channel, seq, uri: uri ?? null, size: bytes.length };
        if (output !== undefined) {
          await writeNew(output, bytes);
          return { ...facts, output };
        }
        if (bytes.length <= INLINE_BYTES_MAX) return { ...facts, data: bytes.toBase64() };
        throw new NetError(
          "limit",
          `Cannot show ${bytes.length} bytes: at most ${INLINE_BYTES_MAX}`,
          {
            next: "have them written to a file with --output",
          },
        );
      },
    }),
  ];
}

async function writeNew(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await Deno.writeFile(path, bytes, { createNew: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    throw new NetError("conflict", `Cannot write "${path}": it exists`, {
      cause: error,
      next: "choose another name, or remove it first",
    });
  }
}

function describe({ id, kind, schemes, place, error }: AdapterView): object {
  return { id, kind, schemes, place, error: error ?? null };
}
