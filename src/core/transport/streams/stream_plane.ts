/**
 * Streams as the planes above open them: sending halves, handlers, readers, and who takes the events of
 * streams that nobody opened (`wire.md` 7).
 */
import { highHalf, idToHex, lowHalf, NetError, PairMap } from "../../../base/mod.ts";
import type { TransportCounters } from "../counters.ts";
import { ACCEPTED_STREAMS_MAX, STREAM_WINDOW_BYTES } from "../limits.ts";
import { ReceiveState } from "./receive_state.ts";
import { SendStreamHandle } from "./send_stream.ts";
import type { Session } from "../session/session.ts";
import type { SessionsInUse } from "../session/sessions_in_use.ts";
import { QueuedStreamReader } from "./stream_reader.ts";
import type { Stream } from "./stream.ts";
import type {
  AcceptStream,
  EndReceiving,
  MeshEvent,
  OpenReceiveStreamOptions,
  OpenSendStreamOptions,
  ReadStreamOptions,
  ReceiveStreamHandle,
  ReceiveStreamHandler,
  StreamReader,
} from "../types.ts";

/** Handles events of streams that nobody diverted. */
export type EventHandler = (event: MeshEvent) => void;

/** What {@linkcode StreamPlane} needs. */
export interface StreamPlaneDeps {
  readonly counters: TransportCounters;
  readonly sessions: SessionsInUse;
}

/** What is known of a stream that ended before it began. */
const NO_STREAM: ReceiveStreamHandle = {
  isReliable: false,
  packetOriginLow: 0,
  packetOriginHigh: 0,
  hold: () => {},
  end: () => {},
};

/** A reader may hold this many windows before packets are refused: what is in flight fits twice. */
const HELD_WINDOWS = 2;
/** It may hold at least this much, so that a sender without a window is not stuck. */
const HELD_BYTES_MIN = 4 * STREAM_WINDOW_BYTES;

/** Opens streams. */
export class StreamPlane {
  /** Takes events of streams that nobody diverted. */
  handler: EventHandler | undefined;
  /** Streams that are taken of whoever begins them. */
  readonly #accepted = new PairMap<AcceptStream>();
  readonly #deps: StreamPlaneDeps;

  constructor(deps: StreamPlaneDeps) {
    this.#deps = deps;
  }

  /** See `MeshLink.openSendStream`. */
  openSend(peer: bigint, streamId: bigint, options: OpenSendStreamOptions): SendStreamHandle {
    const { streams } = this.#deps.sessions.require(peer);
    const stream = streams.touch(lowHalf(streamId), highHalf(streamId));
    return new SendStreamHandle(peer, streams, stream, streams.sender.open(stream, options));
  }

  /** See `MeshLink.openReceiveStream`. */
  openReceive(
    peer: bigint,
    streamId: bigint,
    handler: ReceiveStreamHandler,
    options: OpenReceiveStreamOptions,
  ): EndReceiving {
    return this.receive(peer, streamId, handler, options).end;
  }

  /** See `MeshTransport.receiveStream`. */
  receive(
    peer: bigint,
    streamId: bigint,
    handler: ReceiveStreamHandler,
    options: OpenReceiveStreamOptions,
  ): ReceiveStreamHandle {
    const session = this.#deps.sessions.get(peer);
    if (session !== undefined) {
      return this.#divert(session, lowHalf(streamId), highHalf(streamId), handler, options);
    }
    handler.onEnd("peer_lost");
    return NO_STREAM;
  }

  /** See `MeshTransport.acceptStream`. */
  acceptFrom(streamId: bigint, accept: AcceptStream): () => void {
    const [low, high] = [lowHalf(streamId), highHalf(streamId)];
    const accepted = this.#accepted;
    if (accepted.get(low, high) !== undefined) {
      throw new NetError("conflict", `Cannot accept stream ${idToHex(streamId)}: it is already`);
    }
    if (accepted.size >= ACCEPTED_STREAMS_MAX) {
      throw new NetError(
        "limit",
        `Cannot accept stream ${idToHex(streamId)}: ${accepted.size} are accepted, must be at ` +
          `most ${ACCEPTED_STREAMS_MAX}`,
      );
    }
    accepted.set(low, high, accept);
    return () => {
      if (accepted.get(low, high) === accept) accepted.delete(low, high);
    };
  }

  /** A packet came for a stream that nobody reads; true when somebody does now. */
  accept(session: Session, low: number, high: number): boolean {
    const accepted = this.#accepted.get(low, high)?.(session.peer.nodeId);
    if (accepted === undefined) return false;
    const { handler, options = {}, attach } = accepted;
    const handle = this.#divert(session, low, high, handler, options);
    attach?.(handle);
    return true;
  }

  /** See `MeshTransport.readStream`. */
  read(peer: bigint, streamId: bigint, options: ReadStreamOptions): StreamReader {
    const session = this.#deps.sessions.require(peer);
    options.signal?.throwIfAborted();
    const reader = new QueuedStreamReader(peer, streamId);
    const handle = this.#divert(session, lowHalf(streamId), highHalf(streamId), reader, {
      ...options,
      isHeld: true,
    });
    const onAbort = () => reader.cancel({ abort: true });
    options.signal?.addEventListener("abort", onAbort, { once: true });
    reader.attach({
      hold: (bytes) => handle.hold(bytes),
      end: (how) => {
        options.signal?.removeEventListener("abort", onAbort);
        handle.end(how);
      },
    });
    return reader;
  }

  /** An event of a stream that nobody diverted came. */
  onEvent(
    session: Session,
    stream: Stream,
    sequence: number,
    payload: Uint8Array,
    index: number,
  ): void {
    const { counters } = this.#deps;
    if (this.handler === undefined) {
      counters.events_unclaimed_total += 1;
      return;
    }
    counters.events_delivered_total += 1;
    stream.eventsReceived += 1;
    this.handler({ from: session.peer.nodeId, streamId: stream.id, sequence, index, payload });
  }

  #divert(
    session: Session,
    low: number,
    high: number,
    handler: ReceiveStreamHandler,
    options: OpenReceiveStreamOptions,
  ): ReceiveStreamHandle {
    const { streams } = session;
    const stream = streams.touch(low, high);
    const windowBytes = options.windowBytes ?? STREAM_WINDOW_BYTES;
    const state = stream.receive ??= new ReceiveState({ isReliable: true, windowBytes });
    stream.grantThresholdBytes = windowBytes / 4;
    if (options.isOrdered) streams.order(stream, windowBytes);
    stream.heldBytesMax = options.isHeld
      ? Math.max(HELD_WINDOWS * windowBytes, HELD_BYTES_MIN)
      : Infinity;
    stream.isReceiveKept = options.isKept ?? false;
    stream.isFlagIgnored = options.isFlagIgnored ?? false;
    stream.isReceiveClosed = false;
    stream.handler = handler;
    const end: EndReceiving = ({ abort = false } = {}) => {
      if (stream.handler !== handler) return;
      // Nobody will take what is held: the sender need not wait for it.
      state.heldBytes = 0;
      stream.isReceiveKept = false;
      streams.closeReceive(stream);
      // Kept until it lingered out, so that what is still on its way finds its place.
      if (abort) streams.sendReset(stream.low, stream.high);
    };
    return {
      get isReliable() {
        return state.isReliable;
      },
      get packetOriginLow() {
        return stream.originLow;
      },
      get packetOriginHigh() {
        return stream.originHigh;
      },
      hold: (bytes) => {
        if (stream.handler !== handler) return;
        state.heldBytes += bytes;
        if (bytes < 0 && stream.ended === undefined) streams.giveBack(stream, state);
      },
      end,
    };
  }
}
