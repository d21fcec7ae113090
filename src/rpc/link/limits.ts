/** Bounds of what links keep, each with its reason. */
import { BODY_BYTES_MAX } from "../wire/mod.ts";

/**
 * Frames that wait for the peer's credit, per link: memory for them begins small and doubles, up to a thousand
 * calls of 1 KiB. What one link keeps when none waits is small, because there may be very many links.
 */
export const ARENA_BYTES_MIN = 2_048;
export const ARENA_BYTES_MAX = 1_048_576;
export const ARENA_KEPT_BYTES_MAX = 65_536;

/**
 * Turns of the microtask queue without a new frame after which those that wait leave: callers that one
 * datagram woke write at most so many turns after each other, an `async` function or two between them.
 */
export const FLUSH_TURNS = 6;

/**
 * Otherwise as many as left together the last time are taken for all. When another one comes right behind, that
 * was wrong: it is a stream whose items are written one by one, and the next so many packets are waited for.
 */
export const FLUSH_DOUBTS = 64;

/** Large frames of one link that leave in turn; others wait behind them. */
export const LARGE_ACTIVE_MAX = 16;

/** Large frames that wait for their turn, per link, as many as calls may run there; each is the sender's own memory. */
export const LARGE_WAITING_MAX = 16_384;

/** A frame is longer than its body by service, headers and lengths: 32 × (67 + 4,096) + 270 bytes and a bit. */
export const FRAME_BODY_BYTES_MAX = BODY_BYTES_MAX + 262_144;

/** Bytes of large frames that a sender has on their way to one peer: two of the largest. */
export const LARGE_BYTES_PER_PEER_MAX = 2 * FRAME_BODY_BYTES_MAX;

/**
 * Bytes of frames that are being joined: of one peer four of the largest, of all peers twice that. Senders of ours
 * have half of the first on their way; the other half is for frames that have left them as a whole, of which a packet
 * was lost and is still to come again.
 */
export const JOIN_BYTES_PER_PEER_MAX = 2 * LARGE_BYTES_PER_PEER_MAX;
export const JOIN_BYTES_MAX = 2 * JOIN_BYTES_PER_PEER_MAX;

/** Frames of one link that are being joined: all that a link of ours sends in turn, and those of late copies. */
export const JOINS_MAX = 64;

/** Parts of one frame that came and do not touch: packets may overtake each other within a window. */
export const JOIN_RUNS_MAX = 1_024;

/** A frame of which no part came for so long is given up: a stream is given up after about 7 s. */
export const JOIN_IDLE_MS = 15_000;
export const JOIN_SWEEP_MS = 5_000;

/** When a refusal for want of room says to try again: the largest frame takes about 0.3 s to come. */
export const JOIN_RETRY_MS = 500;

/** Frames remembered whose further parts are dropped unread; the oldest makes room. */
export const REFUSED_FRAMES_MAX = 256;
