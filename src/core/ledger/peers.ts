/** Peers a node was told about, so that it finds its mesh again after a restart. */
import { idToHex, type SocketAddress } from "../../base/mod.ts";
import type { LedgerDb } from "./ledger.ts";
import type { PeerTable } from "./schema.ts";

/** What is kept of a peer. */
export interface PeerRecord {
  readonly nodeId: bigint;
  /** `undefined` for peers that were given without one. */
  readonly entityId: Uint8Array | undefined;
  readonly noisePublicKey: Uint8Array;
  readonly addresses: readonly SocketAddress[];
  readonly label: string;
  /** When it first proved to be who it is, Unix milliseconds; `undefined` if it never did. */
  readonly pinnedAtMs?: number;
  /** Unix milliseconds. */
  readonly addedAtMs: number;
  /** Unix milliseconds; `undefined` when it was never seen. */
  readonly lastSeenMs: number | undefined;
}

/** Peers kept; the longest unseen make room. As many as the transport holds sessions with. */
export const PEERS_KEPT_MAX = 4096;

/** All peers, oldest first. */
export async function readPeers(db: LedgerDb): Promise<PeerRecord[]> {
  const rows = await db.selectFrom("peer").selectAll().orderBy("added_at_ms").orderBy("node_id")
    .limit(PEERS_KEPT_MAX).execute();
  return rows.map(fromRow);
}

/** Adds a peer, or renews what is known of it; the time it was added and last seen stay. */
export async function writePeer(
  db: LedgerDb,
  peer: Omit<PeerRecord, "lastSeenMs">,
): Promise<void> {
  const facts = {
    noise_key: peer.noisePublicKey,
    addresses: JSON.stringify(peer.addresses.map(({ host, port }) => ({ host, port }))),
    label: peer.label,
    // A peer given again without its entity id keeps the one it had.
    ...(peer.entityId === undefined ? {} : { entity_id: peer.entityId }),
    ...(peer.pinnedAtMs === undefined ? {} : { pinned_at_ms: peer.pinnedAtMs }),
  };
  await db.insertInto("peer")
    .values({
      entity_id: null,
      pinned_at_ms: null,
      ...facts,
      node_id: idToHex(peer.nodeId),
      added_at_ms: peer.addedAtMs,
      last_seen_ms: null,
    })
    .onConflict((conflict) => conflict.column("node_id").doUpdateSet(facts)).execute();
  await db.deleteFrom("peer")
    .where(
      "node_id",
      "in",
      db.selectFrom("peer").select("node_id")
        .where("node_id", "!=", idToHex(peer.nodeId))
        .orderBy((order) => order.fn.coalesce("last_seen_ms", "added_at_ms"), "desc")
        .limit(-1).offset(PEERS_KEPT_MAX - 1),
    ).execute();
}

/** Notes when a peer was last seen; nothing happens for an unknown one. */
export async function touchPeer(db: LedgerDb, nodeId: bigint, lastSeenMs: number): Promise<void> {
  await db.updateTable("peer").set({ last_seen_ms: lastSeenMs })
    .where("node_id", "=", idToHex(nodeId)).execute();
}

/** Forgets a peer; false when it was not known. */
export async function removePeer(db: LedgerDb, nodeId: bigint): Promise<boolean> {
  const result = await db.deleteFrom("peer").where("node_id", "=", idToHex(nodeId))
    .executeTakeFirst();
  return result.numDeletedRows > 0n;
}

function fromRow(row: PeerTable): PeerRecord {
  return {
    nodeId: BigInt(`0x${row.node_id}`),
    entityId: row.entity_id ?? undefined,
    noisePublicKey: row.noise_key,
    addresses: parseAddresses(row.addresses),
    label: row.label,
    pinnedAtMs: row.pinned_at_ms ?? undefined,
    addedAtMs: row.added_at_ms,
    lastSeenMs: row.last_seen_ms ?? undefined,
  };
}

/** Addresses of a row; what is not one is left out. */
function parseAddresses(json: string): SocketAddress[] {
  const list: unknown = JSON.parse(json);
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: unknown) => {
    if (typeof item !== "object" || item === null) return [];
    const { host, port } = item as { host?: unknown; port?: unknown };
    return typeof host === "string" && typeof port === "number" ? [{ host, port }] : [];
  });
}
