/**
 * Methods about what is being moved: gets of this node, the streams they run over, what it serves, and the same of
 * peers (`dataforts.md` 13 and 22); all of them privileged.
 */
import * as v from "../../schema/mod.ts";
import { idToHex, NetError, toHex } from "../../base/mod.ts";
import type { GetStatus, StreamStatus, TransferRegistry, WireTransfer } from "../../blob/mod.ts";
import type { Node } from "../../node.ts";
import { defineMethod, type Method } from "../method.ts";
import { resolvePeer } from "./peer_ref.ts";

const NODE = v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(64)));
const ID = v.pipe(v.string(), v.regex(/^(0x[0-9a-f]{1,16}|[0-9a-f]{16}|[0-9]{1,20})$/i));

/** The methods about transfers. */
export function blobTransferMethods(node: Node): readonly Method[] {
  return [
    defineMethod({
      name: "transfer.list",
      access: "privileged",
      summary: "What this node or a peer fetches, and what this node serves",
      isReadOnly: true,
      answersWhileDraining: true,
      params: v.object({ node: NODE }),
      handle: async ({ node: peerText }, { signal }) => {
        if (peerText !== undefined) {
          const peer = resolvePeer(node, peerText, "Cannot see transfers of");
          const answer = await node.transferView.ask(peer, { kind: "list" }, { signal });
          const transfers = answer.kind === "transfers" ? answer.transfers.map(describeWire) : [];
          return { node: idToHex(peer), transfer_count: transfers.length, transfers };
        }
        const registry = requireRegistry(node);
        const streams = registry.streams();
        const fetches = streams.filter(({ direction }) => direction === "fetch");
        const serves = streams.filter(({ direction }) => direction === "serve");
        return {
          node: idToHex(node.mesh.transport.nodeId),
          transfer_count: fetches.length,
          transfers: fetches.map(describeStream),
          served: serves.map(describeStream),
          gets: registry.gets().map(describeGet),
        };
      },
    }),
    defineMethod({
      name: "transfer.status",
      access: "privileged",
      summary: "One get, or one stream of it",
      isReadOnly: true,
      answersWhileDraining: true,
      params: v.object({ id: ID, node: NODE }),
      handle: async ({ id: text, node: peerText }, { signal }) => {
        const id = parseTransferId(text);
        const transfer_id = idToHex(id);
        if (peerText !== undefined) {
          const peer = resolvePeer(node, peerText, "Cannot see transfers of");
          const answer = await node.transferView.ask(peer, { kind: "get", streamId: id }, {
            signal,
          });
          const transfer = answer.kind === "transfer" ? answer.transfer : undefined;
          return {
            transfer_id,
            found: transfer !== undefined,
            transfer: transfer === undefined ? null : describeWire(transfer),
          };
        }
        const registry = requireRegistry(node);
        const stream = registry.streams().find(({ streamId }) => streamId === id);
        const getId = stream?.getId ?? id;
        const get = registry.gets().find((one) => one.id === getId);
        return {
          transfer_id,
          found: stream !== undefined || get !== undefined,
          transfer: stream === undefined ? null : describeStream(stream),
          get: get === undefined ? null : describeGet(get),
        };
      },
    }),
    defineMethod({
      name: "transfer.cancel",
      access: "privileged",
      summary: "End a get; what was verified of it stays",
      isReadOnly: false,
      answersWhileDraining: true,
      params: v.object({ id: ID, node: NODE }),
      handle: async ({ id: text, node: peerText }, { signal }) => {
        const id = parseTransferId(text);
        const transfer_id = idToHex(id);
        if (peerText === undefined) {
          return { transfer_id, cancelled: requireRegistry(node).cancel(id) };
        }
        const peer = resolvePeer(node, peerText, "Cannot end transfers of");
        const request = { kind: "cancel", streamId: id } as const;
        const answer = await node.transferView.ask(peer, request, { signal });
        return { transfer_id, cancelled: answer.kind === "cancelled" && answer.existed };
      },
    }),
  ];
}

/**
 * An id as it is printed, 16 hex digits, or with `0x` before it, or a decimal number.
 *
 * @throws NetError `usage` above 64 bits.
 */
export function parseTransferId(text: string): bigint {
  const isHex = /^0x/i.test(text) || text.length === 16 || /[a-f]/i.test(text);
  const id = BigInt(isHex && !/^0x/i.test(text) ? `0x${text}` : text);
  if (id < 1n << 64n) return id;
  throw new NetError("usage", `Cannot find transfer "${text}": must be below 2^64`, {
    next: "see the ids with net transfer ls",
  });
}

function requireRegistry(node: Node): TransferRegistry {
  const registry = node.blobs.transfer?.registry;
  if (registry !== undefined) return registry;
  throw new NetError("not_running", "Cannot see transfers: this node has no mesh", {
    next: "start one with net node start",
  });
}

function describeWire(transfer: WireTransfer): object {
  return {
    transfer_id: idToHex(transfer.streamId),
    peer: idToHex(transfer.holder),
    hash: toHex(transfer.expectedHash),
    bytes_received: Number(transfer.bytesReceived),
    total_bytes: transfer.totalBytes === undefined ? null : Number(transfer.totalBytes),
  };
}

function describeStream(stream: StreamStatus): object {
  return {
    transfer_id: idToHex(stream.streamId),
    peer: idToHex(stream.peer),
    hash: toHex(stream.hash),
    [stream.direction === "fetch" ? "bytes_received" : "bytes_sent"]: stream.movedBytes,
    total_bytes: stream.totalBytes ?? null,
    started_at: new Date(stream.startedAtMs).toISOString(),
    get_id: stream.getId === undefined ? null : idToHex(stream.getId),
    current_bandwidth_class: stream.bandwidthClass,
    bytes_in_class: stream.movedBytes,
    paused_for_higher_class_ms: Math.round(stream.pausedMs),
  };
}

function describeGet(get: GetStatus): object {
  return {
    get_id: idToHex(get.id),
    target: get.target,
    state: get.state,
    done_bytes: get.doneBytes,
    total_bytes: get.totalBytes ?? null,
    local_bytes: get.localBytes,
    holders: get.holders.map(idToHex),
    started_at: new Date(get.startedAtMs).toISOString(),
    ended_at: get.endedAtMs === undefined ? null : new Date(get.endedAtMs).toISOString(),
    current_bandwidth_class: get.bandwidthClass,
    paused_for_higher_class_ms: Math.round(get.pausedMs),
    error: get.error ?? null,
  };
}
