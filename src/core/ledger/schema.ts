/**
 * Tables of `net.db` as the queries see them, and the numbered steps that make them.
 *
 * A step is never changed once it was released; new ones are appended.
 */
import type { Generated } from "kysely";

/** One blob this node holds (`dataforts.md` 2, 3). */
export interface BlobTable {
  /** BLAKE3 of the whole payload, 32 bytes. */
  readonly address: Uint8Array;
  /** The encoded reference. */
  readonly blob_ref: Uint8Array;
  /** BLAKE3 of `blob_ref`, 32 bytes. */
  readonly ref_hash: Uint8Array;
  readonly size: number;
  readonly chunk_count: number;
  /** Unix milliseconds. */
  readonly created_at_ms: number;
  readonly is_pinned: Generated<number>;
  readonly label: Generated<string>;
  readonly kind: Generated<"blob" | "directory">;
  /** How it came here. */
  readonly origin: Generated<"put" | "fetched" | "replica" | "cached">;
  /** Root node of a tree, by which it may be asked for too. */
  readonly tree_root: Uint8Array | null;
}

/** One chunk that is here, or was when the row was written (`dataforts.md` 10). */
export interface ChunkTable {
  readonly hash: Uint8Array;
  readonly size: number;
  /** Unix milliseconds. */
  readonly first_seen_ms: number;
  readonly last_seen_ms: number;
  readonly is_pinned: Generated<number>;
  /** 1 for one that no blob refers to; only a hint, by which such chunks are found among very many. */
  readonly is_loose: Generated<number>;
}

/** One reason to keep a chunk beside the blobs that refer to it. */
export interface ChunkHoldTable {
  readonly hash: Uint8Array;
  /** Who holds it; one owner has one hold of a chunk. */
  readonly owner: string;
  readonly reason: string;
  /** Unix milliseconds; `null` for one that does not end by itself. */
  readonly expires_at_ms: number | null;
}

/**
 * One chunk of one blob, in order; a chunk many blobs share has many rows. Nodes of trees, parity and the
 * files of a directory count.
 */
export interface BlobChunkTable {
  readonly address: Uint8Array;
  /** From 0. */
  readonly position: number;
  /** BLAKE3 of the chunk, 32 bytes. */
  readonly hash: Uint8Array;
  readonly size: number;
  /** Number of its stripe within the blob; `null` for a chunk that no parity protects. */
  readonly stripe: Generated<number | null>;
  /** How many chunks of that stripe are enough to make the others. */
  readonly stripe_data: Generated<number | null>;
}

/** One chunk of this node's blobs that a peer holds in its stead (`dataforts.md` 18). */
export interface ChunkSpillTable {
  readonly hash: Uint8Array;
  /** 16 hex digits. */
  readonly holder: string;
  readonly size: number;
  /** Unix milliseconds of its last promise. */
  readonly proven_at_ms: number;
}

/** One blob of this node that shall have copies on others. */
export interface CopyWishTable {
  readonly address: Uint8Array;
  /** This node's included. */
  readonly copies: number;
  readonly since_ms: number;
}

/** One node that had a copy when it was last heard of. */
export interface CopyHolderTable {
  readonly address: Uint8Array;
  /** 16 hex digits. */
  readonly node_id: string;
  readonly seen_at_ms: number;
}

/** One peer this node was told about. */
export interface PeerTable {
  /** 16 hex digits. */
  readonly node_id: string;
  readonly entity_id: Uint8Array | null;
  readonly noise_key: Uint8Array;
  /** JSON list of `{host, port}`. */
  readonly addresses: string;
  readonly label: string;
  readonly added_at_ms: number;
  readonly last_seen_ms: number | null;
  /** When it first proved to be who it is; `null` for a peer that was only told of. */
  readonly pinned_at_ms: number | null;
}

/** One value the node keeps over restarts. */
export interface SettingTable {
  readonly key: string;
  readonly value: string;
}

/** The latest announcement of one other node. */
export interface AnnouncementTable {
  /** 16 hex digits. */
  readonly node_id: string;
  /** As on the wire. */
  readonly bytes: Uint8Array;
  readonly heard_at_ms: number;
  readonly expires_at_ms: number;
}

/** One channel and one subnet that a gateway exports it to. */
export interface SubnetExportTable {
  /** Canonical hash, 16 hex digits. */
  readonly channel_hash: string;
  /** Subnet of the topology, 32 bits. */
  readonly target: number;
  readonly name: string;
}

/** The latest snapshot of one kind of fold. */
export interface FoldSnapshotTable {
  /** Number of the kind. */
  readonly kind: number;
  /** Unix milliseconds. */
  readonly taken_at_ms: number;
  readonly bytes: Uint8Array;
}

/** One channel, or prefix of channels, that this node runs. */
export interface ChannelTable {
  readonly name: string;
  readonly is_prefix: number;
  readonly visibility: string;
  /** JSON lists of tags. */
  readonly publish_tags: string;
  readonly subscribe_tags: string;
  readonly requires_token: number;
  /** Entity ids, 32 bytes each, one behind the other. */
  readonly token_roots: Uint8Array;
  readonly binds_origin: number;
  readonly queue_groups: string;
  readonly priority: number;
  readonly is_reliable: number;
  readonly rate_per_second: number | null;
}

/** One put that is not finished and can be gone on with. */
export interface StagingTable {
  /** 32 hex digits. */
  readonly token: string;
  /** What is put, for finding it again: a file as it was; empty for a stream. */
  readonly source_key: string;
  /** How it is put, as text. */
  readonly form: string;
  readonly label: string;
  /** Bytes of the chunks below. */
  readonly bytes: number;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
}

/** One chunk of such a put, in the order of its bytes. */
export interface StagingChunkTable {
  readonly token: string;
  readonly position: number;
  readonly hash: Uint8Array;
  readonly size: number;
}

/** All tables. */
export interface LedgerSchema {
  readonly blob: BlobTable;
  readonly blob_chunk: BlobChunkTable;
  readonly chunk: ChunkTable;
  readonly chunk_hold: ChunkHoldTable;
  readonly chunk_spill: ChunkSpillTable;
  readonly copy_wish: CopyWishTable;
  readonly copy_holder: CopyHolderTable;
  readonly staging: StagingTable;
  readonly staging_chunk: StagingChunkTable;
  readonly peer: PeerTable;
  readonly setting: SettingTable;
  readonly announcement: AnnouncementTable;
  readonly subnet_export: SubnetExportTable;
  readonly fold_snapshot: FoldSnapshotTable;
  readonly channel: ChannelTable;
}

/** Step i brings the schema from version i to version i + 1. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE blob (
    address BLOB PRIMARY KEY CHECK (length(address) = 32),
    blob_ref BLOB NOT NULL,
    ref_hash BLOB NOT NULL CHECK (length(ref_hash) = 32),
    size INTEGER NOT NULL CHECK (size >= 0),
    chunk_count INTEGER NOT NULL CHECK (chunk_count > 0),
    created_at_ms INTEGER NOT NULL,
    is_pinned INTEGER NOT NULL DEFAULT 0 CHECK (is_pinned IN (0, 1)),
    label TEXT NOT NULL DEFAULT ''
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX blob_by_ref_hash ON blob (ref_hash);
  CREATE INDEX blob_by_age ON blob (created_at_ms, address);
  CREATE TABLE blob_chunk (
    address BLOB NOT NULL REFERENCES blob (address) ON DELETE CASCADE,
    position INTEGER NOT NULL CHECK (position >= 0),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    size INTEGER NOT NULL CHECK (size >= 0),
    PRIMARY KEY (address, position)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX blob_chunk_by_hash ON blob_chunk (hash);
  CREATE TABLE peer (
    node_id TEXT PRIMARY KEY CHECK (length(node_id) = 16),
    entity_id BLOB CHECK (entity_id IS NULL OR length(entity_id) = 32),
    noise_key BLOB NOT NULL CHECK (length(noise_key) = 32),
    addresses TEXT NOT NULL CHECK (json_valid(addresses)),
    label TEXT NOT NULL,
    added_at_ms INTEGER NOT NULL,
    last_seen_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE setting (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `ALTER TABLE peer ADD COLUMN pinned_at_ms INTEGER;`,
  `
  CREATE TABLE announcement (
    node_id TEXT PRIMARY KEY CHECK (length(node_id) = 16),
    bytes BLOB NOT NULL,
    heard_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX announcement_by_age ON announcement (heard_at_ms);
  `,
  `
  CREATE TABLE subnet_export (
    channel_hash TEXT NOT NULL CHECK (length(channel_hash) = 16),
    target INTEGER NOT NULL CHECK (target BETWEEN 0 AND 4294967295),
    name TEXT NOT NULL,
    PRIMARY KEY (channel_hash, target)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE fold_snapshot (
    kind INTEGER PRIMARY KEY,
    taken_at_ms INTEGER NOT NULL,
    bytes BLOB NOT NULL
  ) STRICT;
  `,
  `
  CREATE TABLE channel (
    name TEXT PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 255),
    is_prefix INTEGER NOT NULL CHECK (is_prefix IN (0, 1)),
    visibility TEXT NOT NULL,
    publish_tags TEXT NOT NULL CHECK (json_valid(publish_tags)),
    subscribe_tags TEXT NOT NULL CHECK (json_valid(subscribe_tags)),
    requires_token INTEGER NOT NULL CHECK (requires_token IN (0, 1)),
    token_roots BLOB NOT NULL CHECK (length(token_roots) % 32 = 0),
    binds_origin INTEGER NOT NULL CHECK (binds_origin IN (0, 1)),
    queue_groups TEXT NOT NULL,
    priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 255),
    is_reliable INTEGER NOT NULL CHECK (is_reliable IN (0, 1)),
    rate_per_second INTEGER
  ) STRICT, WITHOUT ROWID;
  `,
  `
  ALTER TABLE blob ADD COLUMN kind TEXT NOT NULL DEFAULT 'blob' CHECK (kind IN ('blob', 'directory'));
  ALTER TABLE blob ADD COLUMN origin TEXT NOT NULL DEFAULT 'put'
    CHECK (origin IN ('put', 'fetched', 'replica', 'cached'));
  ALTER TABLE blob ADD COLUMN tree_root BLOB CHECK (tree_root IS NULL OR length(tree_root) = 32);
  CREATE INDEX blob_by_tree_root ON blob (tree_root) WHERE tree_root IS NOT NULL;
  CREATE TABLE chunk (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    size INTEGER NOT NULL CHECK (size >= 0),
    first_seen_ms INTEGER NOT NULL,
    last_seen_ms INTEGER NOT NULL,
    is_pinned INTEGER NOT NULL DEFAULT 0 CHECK (is_pinned IN (0, 1))
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX chunk_by_age ON chunk (first_seen_ms, hash);
  INSERT INTO chunk (hash, size, first_seen_ms, last_seen_ms)
    SELECT hash, max(blob_chunk.size), min(created_at_ms), max(created_at_ms)
    FROM blob_chunk JOIN blob USING (address) GROUP BY hash;
  CREATE TABLE chunk_hold (
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    owner TEXT NOT NULL CHECK (length(owner) BETWEEN 1 AND 255),
    reason TEXT NOT NULL,
    expires_at_ms INTEGER,
    PRIMARY KEY (hash, owner)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX chunk_hold_by_owner ON chunk_hold (owner);
  CREATE INDEX chunk_hold_by_expiry ON chunk_hold (expires_at_ms) WHERE expires_at_ms IS NOT NULL;
  `,
  `
  ALTER TABLE blob_chunk ADD COLUMN stripe INTEGER;
  ALTER TABLE blob_chunk ADD COLUMN stripe_data INTEGER;
  CREATE INDEX blob_chunk_by_stripe ON blob_chunk (address, stripe) WHERE stripe IS NOT NULL;
  CREATE INDEX blob_by_origin ON blob (origin, created_at_ms, address);
  CREATE INDEX chunk_hold_by_reason ON chunk_hold (reason, hash);
  `,
  `
  CREATE TABLE chunk_spill (
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    holder TEXT NOT NULL CHECK (length(holder) = 16),
    size INTEGER NOT NULL CHECK (size >= 0),
    proven_at_ms INTEGER NOT NULL,
    PRIMARY KEY (hash, holder)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX chunk_spill_by_age ON chunk_spill (proven_at_ms);
  `,
  `
  CREATE TABLE copy_wish (
    address BLOB PRIMARY KEY REFERENCES blob (address) ON DELETE CASCADE,
    copies INTEGER NOT NULL CHECK (copies BETWEEN 1 AND 256),
    since_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE copy_holder (
    address BLOB NOT NULL REFERENCES copy_wish (address) ON DELETE CASCADE,
    node_id TEXT NOT NULL CHECK (length(node_id) = 16),
    seen_at_ms INTEGER NOT NULL,
    PRIMARY KEY (address, node_id)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE staging (
    token TEXT PRIMARY KEY CHECK (length(token) = 32),
    source_key TEXT NOT NULL,
    form TEXT NOT NULL,
    label TEXT NOT NULL,
    bytes INTEGER NOT NULL CHECK (bytes >= 0),
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX staging_by_source ON staging (source_key) WHERE source_key <> '';
  CREATE TABLE staging_chunk (
    token TEXT NOT NULL REFERENCES staging (token) ON DELETE CASCADE,
    position INTEGER NOT NULL CHECK (position >= 0),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    size INTEGER NOT NULL CHECK (size >= 0),
    PRIMARY KEY (token, position)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  ALTER TABLE chunk ADD COLUMN is_loose INTEGER NOT NULL DEFAULT 0 CHECK (is_loose IN (0, 1));
  UPDATE chunk SET is_loose = 1
    WHERE NOT EXISTS (SELECT 1 FROM blob_chunk WHERE blob_chunk.hash = chunk.hash);
  CREATE INDEX chunk_loose ON chunk (first_seen_ms, hash) WHERE is_loose = 1;
  `,
];
