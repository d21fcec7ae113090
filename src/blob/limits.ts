/** Numbers of blobs (`dataforts.md` 2, 3, 12) and the bounds of everything this folder keeps. */

/** Length of a BLAKE3-256 hash. */
export const HASH_BYTES = 32;

/** Size of every chunk but the last. */
export const CHUNK_BYTES = 4 * 1024 * 1024;

/** Largest chunk that a leaf of a tree may list. */
export const CHUNK_BYTES_MAX = 16 * 1024 * 1024;

/** Largest Small or Manifest: 4,096 full chunks. */
export const BLOB_BYTES_MAX = 16 * 1024 ** 3;

/** Children of an internal node, chunks of a leaf, chunks of all stripes of an erasure leaf. */
export const TREE_FAN_OUT = 128;

/** Levels of a tree; its root is a leaf at depth 1. */
export const TREE_DEPTH_MAX = 4;

/** Largest tree: 128 PiB. */
export const TREE_BYTES_MAX = 1n << 57n;

/** Largest encoded node; the largest that is legal takes 128 × 45 bytes and a few. */
export const TREE_NODE_BYTES_MAX = 65_536;

/** Longest manifest of a directory: what a fetch of a whole blob gives. */
export const DIR_MANIFEST_BYTES_MAX = 256 * 1024 * 1024;

/** Entries of a directory: each takes about 500 bytes while it is worked on, so 500 MB at most. */
export const DIR_ENTRIES_MAX = 1_000_000;

/** Longest path and longest name that file systems take, in bytes. */
export const PATH_BYTES_MAX = 4_096;
export const NAME_BYTES_MAX = 255;

/**
 * Characters of folders that a manifest does not list but its paths need. Ours lists every folder; a
 * hostile one could name 2,000 new ones with every path of 4 KiB.
 */
export const DIR_IMPLIED_CHARACTERS_MAX = 16 * 1024 * 1024;

/** Largest chunk that travels in one transfer; content-defined chunks reach it. */
export const TRANSFER_BYTES_MAX = CHUNK_BYTES_MAX;

/** Payload of one data event. */
export const DATA_EVENT_BYTES = 8_000;

/** Credit window that a requester goes by: 32 data events. It sizes its horizon and the pace of its grants. */
export const REPLY_WINDOW_BYTES = 32 * DATA_EVENT_BYTES;

/**
 * Credit window of a holder. Who shares two cores with others is heard every few milliseconds only; four replies of
 * this size are that much of a fast link, and what a session may have in flight. It is 123 packets, within the least
 * horizon of any requester: 128, with the default window.
 */
export const SERVE_WINDOW_BYTES = 1_000_000;

/**
 * Events this far ahead of the next one are kept, later ones dropped. Credit returns on receipt, not in
 * order: behind one lost packet a holder may fill the receiver's horizon, 256,000 / 512 = 500 packets.
 * At most 1,024 × 8,104 bytes = 8.3 MB for a transfer whose holder means ill.
 */
export const REORDER_EVENTS_MAX = 1_024;

/** Chunk writes in flight during a put: with the one being filled 4 × 4 MiB = 16 MiB. */
export const PUT_WRITES_MAX = 3;

/** Chunks in flight, or waiting for their turn to be written, during a get. */
export const GET_CHUNKS_MAX = 8;

/** Their bytes: eight of 4 MiB, or three of 16; one chunk is always let in. */
export const GET_BYTES_MAX = 48 * 1024 * 1024;

/** Chunks asked of one holder at once, at first and at most: what a holder serves one peer at once. */
export const HOLDER_WINDOW_FIRST = 2;
export const HOLDER_WINDOW_MAX = 4;

/** Peers that are not known to have a blob and are asked for one of its chunks at the same time. */
export const PROBES_MAX = 4;

/** After so many chunks that it lacked, a peer is asked only when nobody else is left. */
export const MISSES_MAX = 3;

/** A holder this much slower than the best is left aside: it would take as long as a whole window. */
export const SLOW_FACTOR = 8;

/** When a second holder is asked for a chunk: after this time, and this many times what is usual. */
export const HEDGE_MIN_MS = 500;
export const HEDGE_FACTOR = 4;

/** Chunks of a stream that are being hashed or written; with the one being filled 20 MiB, or 80 at 16 each. */
export const CUT_BUFFERS_MAX = 4;

/** Transfers served at once: 8 chunks of 4 MiB are 32 MiB; one peer gets at most half of them. */
export const SERVES_ACTIVE_MAX = 8;
export const SERVES_ACTIVE_PER_PEER_MAX = 4;

/** Transfers that wait for their turn, in all and for one peer; a waiting one holds no chunk. */
export const SERVES_WAITING_MAX = 256;
export const SERVES_WAITING_PER_PEER_MAX = 32;

/** A transfer whose peer took nothing for this long is given up. */
export const SERVE_STALL_MS = 30_000;

/**
 * How long the acknowledgement of a reply's end is waited for, with four resends. The Rust requester
 * forgets the stream once it has all bytes, often before it acknowledged the last ones.
 */
export const SERVE_LINGER_MS = 2_000;

/**
 * Replies that wait for it; the oldest makes room. What they hold is in flight: at most 4 MiB for all replies to one
 * peer, and what the transport keeps of all peers has a bound of its own.
 */
export const SERVES_LINGERING_MAX = 256;

/**
 * Patience for the header, attempt by attempt. One second is hundreds of round trips and still quick
 * for a lost request; it doubles because a holder may be busy, and a given-up answer costs it work.
 */
export const HEADER_PATIENCE_MS: readonly number[] = [1_000, 2_000, 4_000, 8_000];

/** A transfer without progress for this long is given up and tried again. */
export const TRANSFER_STALL_MS = 3_000;

/** Time for one chunk over all attempts and peers. */
export const CHUNK_DEADLINE_MS = 60_000;

/** How long a fetch waits for any of its peers to be connected again. */
export const RECONNECT_PATIENCE_MS = 10_000;

/** How often the question for a reference is put, and how far apart. */
export const RESOLVE_ROUNDS = 4;
export const RESOLVE_INTERVAL_MS = 250;

/** How long the last answer is waited for after the last round. */
export const RESOLVE_LAST_MS = 500;

/** Peers that got a session during a question are asked too; so often the question is prolonged. */
export const RESOLVE_EXTENSIONS_MAX = 3;

/** A silent peer is reported to the transport at most this often; its probe takes 400 ms. */
export const SILENCE_REPORT_MS = 500;

/** Largest message of the resolve extension: what fits one packet beside its length. */
export const RESOLVE_MESSAGE_BYTES_MAX = 8_000;

/** Questions for references that are open at once. */
export const RESOLVES_MAX = 64;

/** Peers whose reputation is kept: as many as the transport holds sessions with. */
export const REPUTATIONS_MAX = 4_096;

/** Gets under way at once; each holds up to 48 MiB, so six fit 300 MB and the others are small. */
export const GETS_MAX = 64;

/** Gets that ended and are still listed. */
export const GETS_ENDED_MAX = 64;

/** How often background looks whether it may go on. */
export const CLASS_WAIT_MS = 100;

/** Holders that a search names and that are reached for one chunk. */
export const FOUND_HOLDERS_MAX = 8;

/** Longest search for holders that are not connected, with reaching one: a few tries of a hole punch. */
export const SEARCH_MS = 15_000;

/** Fetched chunks on their way to the store: with those of the window 20 chunks at most, 80 MiB. */
export const KEEP_WRITES_MAX = 4;

/** Blobs, or chunks, that a listing gives at most at once. */
export const LIST_LIMIT_MAX = 1_000;
