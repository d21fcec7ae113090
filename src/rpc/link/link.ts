/**
 * The way of frames to one peer, as client and server see it: one stream of the session, on which frames are
 * joined into packets. Who makes links is `services/rpc`.
 */
import type { FrameRoute } from "../wire/mod.ts";

/** Why nothing more comes or leaves on a link. */
export type LinkEnd = "peer_lost" | "replaced" | "reset" | "closed";

/** What {@linkcode FrameLink.reserve} says when there is no room now. */
export const NO_LINK_ROOM = -1;

/** Frames to one peer on one channel. */
export interface FrameLink {
  readonly peer: bigint;
  /** What the heads of frames on it say. */
  readonly route: FrameRoute;
  /** False once it has ended; a link never opens again. */
  readonly isOpen: boolean;
  /** Longest frame that one packet holds. */
  readonly frameBytesMax: number;
  /** The peer is ours: it takes fragments, and numbers of items (docs/rpc-bodies.md). */
  readonly isExtended: boolean;
  /** Where reserved frames are written. It may be another array after the next `reserve`. */
  readonly bytes: Uint8Array;
  /**
   * Makes room for one frame of up to `frameBytesMax` bytes. All of it has to be written before anything is
   * awaited; it leaves by itself, together with others of the same turn.
   *
   * @returns Where it begins, or {@linkcode NO_LINK_ROOM}: then `ready` tells when to try again.
   * @throws RangeError when it is longer than one packet holds.
   */
  reserve(length: number): number;
  /**
   * Sends a frame of any length, in fragments: fair to other frames, at the pace of the peer.
   *
   * @param body Behind the head; not to be changed until this resolves.
   * @throws RpcError `too_large` when the peer takes no fragments; `transport` once the link has ended; the
   * reason of the signal.
   */
  sendLarge(
    dispatch: number,
    callLow: number,
    callHigh: number,
    item: number,
    body: Uint8Array,
    signal?: AbortSignal,
  ): Promise<void>;
  /** Resolves when `reserve` is worth another try; rejects with RpcError `transport` once it has ended. */
  ready(signal?: AbortSignal): Promise<void>;
}

/** A frame in fragments that was not taken, so that the peer may be told; what follows of it is dropped. */
export interface RefusedFrame {
  /** Dispatch of the whole. */
  readonly dispatch: number;
  /** What its head says of its origin. */
  readonly originLow: number;
  readonly originHigh: number;
  readonly callLow: number;
  readonly callHigh: number;
  readonly item: number;
  /**
   * `budget`: there is no room to join it now, try again after `retryAfterMs`; `too_large`: it will never be
   * taken; `malformed`: its parts do not fit together; `late`: the rest of it did not come.
   */
  readonly reason: "budget" | "too_large" | "malformed" | "late";
  readonly retryAfterMs: number;
}

/** Takes what comes from a peer on one channel. */
export interface FrameSink {
  /**
   * One whole frame, fragments already joined.
   *
   * @param bytes A view that is valid only during the call, unless `isOwned`.
   */
  onFrame(bytes: Uint8Array, isOwned: boolean): void;
  /** A frame in fragments was not taken. A server answers, a caller gives the call up. */
  onRefused(frame: RefusedFrame): void;
  /** Nothing more comes. */
  onEnd(reason: LinkEnd): void;
}

/**
 * Ways of a caller to servers. A link there is ready when the server takes requests on it and answers reach its
 * sink (`nrpc.md` 5).
 */
export interface ClientLinks {
  /** The link that is ready now; `undefined` when it has to be opened first. */
  ready(target: bigint, service: string): FrameLink | undefined;
  /**
   * Opens the link, or waits until it is open; many may wait for the same.
   *
   * @throws RpcError `no_route` without a session, `server_error` with `unauthorized` or `notFound` when the
   * server refuses, `transport` when it breaks, the reason of the signal.
   */
  open(target: bigint, service: string, signal?: AbortSignal): Promise<FrameLink>;
}

/** Takes the answers that come for a caller, on any of its links. */
export interface ClientSink {
  onFrame(link: FrameLink, bytes: Uint8Array, isOwned: boolean): void;
  /** An answer in fragments was not taken: its call gets none. */
  onRefused(link: FrameLink, frame: RefusedFrame): void;
  /** Calls on this link get no more answers. */
  onEnd(link: FrameLink, reason: LinkEnd): void;
}

/** One caller of one service, as the server sees it. */
export interface ServerPeer {
  readonly peer: bigint;
  /** Origin hash of the caller as the session or its announcement proves it; `undefined` when neither does. */
  readonly provenOriginLow: number | undefined;
  readonly provenOriginHigh: number | undefined;
  /** Origin in the header of the packet that is being handed in; equal to the proven one on sealed sessions. */
  readonly packetOriginLow: number;
  readonly packetOriginHigh: number;
  /** True when a relay stands between, as far as is known here. */
  readonly isRelayed: boolean;
  /**
   * The way back. Where the caller's origin is not proven, answers go to whoever subscribed to the reply channel
   * of the origin it claims, which may be nobody: `undefined`.
   */
  replies(originLow: number, originHigh: number): FrameLink | undefined;
}

/** Takes the requests that come for one service. */
export interface ServerSink {
  /** A caller is there; what comes from it goes to the sink. */
  onPeer(peer: ServerPeer): FrameSink;
}

/** A service whose callers are heard. */
export interface Listening {
  /** Says that it is offered no more; those who call it are still heard. */
  withdraw(): void;
  /** Hears nobody any more; withdraws it as well. */
  end(): void;
}

/** Where servers hear their callers. */
export interface ServerLinks {
  /**
   * Takes requests for a service from now on: every peer's, of those with a session and those to come.
   *
   * @throws RpcError `serve_failed` when the name is served already, or is none.
   */
  listen(service: string, sink: ServerSink): Listening;
}
