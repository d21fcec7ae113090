/** Methods about holders and copies of blobs (docs/replicas.md); all of them privileged. */
import * as v from "../../schema/mod.ts";
import { idToHex, NetError, toHex } from "../../base/mod.ts";
import {
  type BlobTarget,
  COPIES_MAX,
  formatAddress,
  parseAddress,
  parseBlobTarget,
} from "../../blob/mod.ts";
import type { Node } from "../../node.ts";
import { formatWriteToken } from "../../log/mod.ts";
import {
  type CopiesState,
  formatBlobToken,
  parseBlobToken,
  type ReplicaReceipt,
} from "../../services/mod.ts";
import { defineMethod, type Method } from "../method.ts";
import { CHAIN, readChain } from "./channel_methods.ts";

const TARGET = v.pipe(v.string(), v.minLength(1), v.maxLength(1_000_000));
const COPIES = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(COPIES_MAX - 1));
/** A day: who wants longer leaves it to the node. */
const WAIT_MS = v.pipe(v.number(), v.minValue(0), v.maxValue(86_400_000));
const WAIT_MS_DEFAULT = 60_000;
/** Holders told at most: a search asks no more nodes. */
const HOLDERS_MAX = 128;

/** The methods about copies. */
export function blobReplicaMethods(node: Node): readonly Method[] {
  return [
    defineMethod({
      name: "blob.replicate",
      access: "privileged",
      summary: "Have other nodes take copies of a blob, and see to their number from now on",
      isReadOnly: false,
      params: v.object({
        target: TARGET,
        copies: COPIES,
        wait_ms: v.optional(WAIT_MS, WAIT_MS_DEFAULT),
        once: v.optional(v.boolean(), false),
      }),
      handle: async ({ target, copies, wait_ms, once }, context) => {
        const receipt = await node.replicas.replicate(addressOf(target), {
          peers: copies,
          waitMs: wait_ms,
          isKept: !once,
          signal: context.signal,
          onProgress: ({ held, wanted, doneBytes, totalBytes }) =>
            context.progress({
              stage: "copy",
              held,
              wanted,
              done_bytes: doneBytes,
              total_bytes: totalBytes,
            }),
        });
        return describeReceipt(receipt);
      },
    }),
    defineMethod({
      name: "blob.replicas",
      access: "privileged",
      summary: "Copies of the blobs whose number this node sees to: who has one, who is away",
      isReadOnly: true,
      params: v.object({
        target: v.optional(TARGET),
        after: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
      }),
      handle: async ({ target, after }, { signal }) => {
        if (target !== undefined) {
          return {
            blobs: [describeCopies(await node.replicas.stateOf(addressOf(target), signal))],
          };
        }
        const from = after === undefined ? undefined : Uint8Array.fromHex(after);
        const states = await node.replicas.states({ after: from, signal });
        return { blobs: states.map(describeCopies) };
      },
    }),
    defineMethod({
      name: "blob.replicas_forget",
      access: "privileged",
      summary: "See to the number of a blob's copies no more; those that there are stay",
      isReadOnly: false,
      params: v.object({ target: TARGET }),
      handle: async ({ target }) => ({
        forgotten: await node.replicas.forget(addressOf(target)),
      }),
    }),
    defineMethod({
      name: "blob.holders",
      access: "privileged",
      summary: "Nodes that have a blob, found by what they announce and by asking",
      isReadOnly: true,
      params: v.object({ target: TARGET }),
      handle: async ({ target }, { signal }) => {
        const hash = addressOf(target);
        const { finder } = node.replicas;
        const announced = new Set(finder.announced([hash]));
        const holders: object[] = [];
        for await (const nodeId of finder.holdersOf(hash, { signal })) {
          const [held] = await finder.ask(nodeId, [hash], signal) ?? [];
          if (held !== "nothing") {
            holders.push({
              node: idToHex(nodeId),
              announced: announced.has(nodeId),
              holds: held ?? null,
              connected: node.mesh.transport.connectedPeers().includes(nodeId),
            });
          }
          if (holders.length >= HOLDERS_MAX) break;
        }
        const isHere = await node.storage.blobs.stat(hash) !== undefined;
        return { address: formatAddress(hash), here: isHere, holders };
      },
    }),
    ...publishMethods(node),
  ];
}

function publishMethods(node: Node): readonly Method[] {
  return [
    defineMethod({
      name: "blob.publish",
      access: "privileged",
      summary: "Publish the reference to a blob as an event, once it is as durable as asked",
      isReadOnly: false,
      params: v.object({
        target: TARGET,
        channel: v.pipe(v.string(), v.minLength(1), v.maxLength(255)),
        place: v.optional(v.picklist(["log", "channel"]), "log"),
        chain: v.optional(CHAIN),
        copies: v.optional(
          v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(COPIES_MAX - 1)),
          0,
        ),
        wait_ms: v.optional(WAIT_MS, WAIT_MS_DEFAULT),
      }),
      handle: async ({ target, channel, place, chain, copies, wait_ms }, { signal }) => {
        if (chain !== undefined) {
          node.channels.publisher.setPublishChain(channel, readChain(chain));
        }
        const published = await node.blobPublisher.publish(addressOf(target), {
          place,
          channel,
          peers: copies,
          waitMs: wait_ms,
          signal,
        });
        const { record, token, receipt, report } = published;
        return {
          address: formatAddress(record.address),
          blob_ref: toHex(record.blobRef),
          channel,
          token: formatBlobToken(token),
          seq: token.event === undefined ? null : Number(token.event.token.seq),
          write_token: token.event === undefined ? null : formatWriteToken(token.event.token),
          receipt: receipt === undefined ? null : describeReceipt(receipt),
          delivered: report?.delivered ?? null,
        };
      },
    }),
    defineMethod({
      name: "blob.wait",
      access: "privileged",
      summary: "Wait until a published blob is folded and as durable as was asked",
      isReadOnly: false,
      params: v.object({
        token: v.pipe(v.string(), v.maxLength(512)),
        wait_ms: v.optional(WAIT_MS, WAIT_MS_DEFAULT),
      }),
      handle: async ({ token: text, wait_ms }, { signal }) => {
        const token = parseBlobToken(text);
        if (token === undefined) {
          throw new NetError("usage", "Cannot wait for blob: the token is not one of ours", {
            next: "take it from net log append CHANNEL --blob FILE --json",
          });
        }
        const receipt = await node.blobPublisher.wait(token, { waitMs: wait_ms, signal });
        return {
          address: formatAddress(token.address),
          done: true,
          receipt: receipt === undefined ? null : describeReceipt(receipt),
        };
      },
    }),
  ];
}

/** A receipt as every face shows it. */
export function describeReceipt(receipt: ReplicaReceipt): object {
  const { address, isReached, peersWanted, holders, refused, chunks, size, elapsedMs } = receipt;
  return {
    address: formatAddress(address),
    reached: isReached,
    copies: holders.length,
    wanted: peersWanted,
    holders: holders.map(idToHex),
    refused: refused.map(({ nodeId, reason }) => ({ node: idToHex(nodeId), reason })),
    chunks,
    size,
    seconds: elapsedMs / 1000,
  };
}

function describeCopies({ address, size, wanted, present, away }: CopiesState): object {
  return {
    address: formatAddress(address),
    cursor: toHex(address),
    size,
    copies: 1 + present.length,
    wanted,
    nodes: present.map(idToHex),
    away: away.map(idToHex),
  };
}

function addressOf(text: string): Uint8Array {
  const target: BlobTarget = parseBlobTarget(text);
  if (target.kind === "address" || target.kind === "small") return target.hash;
  const hash = parseAddress(target.uri);
  if (hash !== undefined) return hash;
  throw new NetError("usage", "Cannot find blob: the reference does not name its whole hash", {
    next: "give its b3: address instead",
  });
}
