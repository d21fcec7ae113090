/**
 * Sending and counting the events of one step, on either side.
 *
 * A rate is counted where events reach the application: from the first event handed over to the last.
 */
import type { Clock } from "../../base/mod.ts";
import type { EndReceiving, MeshTransport, SendStreamHandle } from "../../core/transport/mod.ts";
import { DRAIN_MS, EVENTS_PER_CALL } from "./limits.ts";
import { type BenchFigures, type BenchStep, benchStreamId } from "./wire.ts";

/** The part of the transport that measurements use. */
export type BenchLink = Pick<
  MeshTransport,
  | "nodeId"
  | "connectedPeers"
  | "onMessage"
  | "onPeerChange"
  | "openReceiveStream"
  | "openSendStream"
  | "peer"
  | "sendMessage"
  | "streams"
>;

/** Where and what a step is. */
export interface StepPlace {
  readonly link: BenchLink;
  readonly clock: Clock;
  readonly peer: bigint;
  readonly run: number;
  readonly step: number;
  readonly spec: BenchStep;
}

/** One side of a step. */
export interface StepSide {
  figures(): BenchFigures;
  /** Gives up; idempotent. */
  end(): void;
}

/** Receives a step's events until it is ended. */
export function receiveStep(place: StepPlace): StepSide {
  const { link, clock, peer, spec } = place;
  const { eventBytes, windowBytes } = spec;
  const ids = streamIdsOf(place);
  let events = 0;
  let firstAt = 0;
  let lastAt = 0;
  let isBroken = false;
  const handler = {
    onEvent: (_sequence: number, payload: Uint8Array, index: number) => {
      if (payload.length !== eventBytes) return;
      // One look at the clock per packet.
      if (index === 0) lastAt = clock.now();
      if (events === 0) firstAt = lastAt;
      events += 1;
    },
    onEnd: () => {
      isBroken = true;
    },
  };
  const ends: EndReceiving[] = [];
  for (const id of ids) {
    if (!isBroken) ends.push(link.openReceiveStream(peer, id, handler, { windowBytes }));
  }
  let packets = 0;
  let copies = 0;
  let isDone = false;
  const figures = (): BenchFigures => {
    if (!isDone) {
      let [packetsNow, copiesNow] = [0, 0];
      for (const { streamId, receive } of link.streams(peer)) {
        if (receive === undefined || !ids.has(streamId)) continue;
        packetsNow += receive.packets;
        copiesNow += receive.duplicates + receive.refused;
      }
      // A stream that ended early is not listed any more.
      packets = Math.max(packets, packetsNow);
      copies = Math.max(copies, copiesNow);
    }
    const bytes = events * eventBytes;
    return { isDone, isBroken, events, bytes, spanMs: lastAt - firstAt, packets, copies };
  };
  return {
    figures,
    end: () => {
      figures();
      isDone = true;
      for (const end of ends.splice(0)) end();
    },
  };
}

/** The sending side of a step. */
export interface SendingSide extends StepSide {
  /** Settles when everything was acknowledged or given up; never rejects. */
  readonly finished: Promise<void>;
}

/**
 * Sends a step's events for its time, then waits until they were acknowledged.
 *
 * @param bytesMax Sending ends earlier when so many event bytes were sent.
 */
export function sendStep(place: StepPlace, bytesMax: number): SendingSide {
  const { link, clock, peer, spec } = place;
  const { eventBytes, windowBytes, durationMs } = spec;
  const ids = streamIdsOf(place);
  const startedAt = clock.now();
  const sendUntil = startedAt + durationMs;
  // A batch is at most half a window, so that one is sent while another is acknowledged.
  const perCall = Math.max(1, Math.min(EVENTS_PER_CALL, Math.floor(windowBytes / 2 / eventBytes)));
  const batch = new Array<Uint8Array>(perCall).fill(new Uint8Array(eventBytes));
  const timeUp = new AbortController();
  const givenUp = new AbortController();
  const cancels = [
    clock.after(durationMs, () => timeUp.abort()),
    clock.after(durationMs + DRAIN_MS, () => givenUp.abort()),
  ];
  let events = 0;
  let isBroken = false;
  let endedAt: number | undefined;

  const sendOn = async (stream: SendStreamHandle): Promise<void> => {
    try {
      while (clock.now() < sendUntil && events * eventBytes < bytesMax && !timeUp.signal.aborted) {
        const taken = stream.trySendAll(batch);
        events += taken;
        if (taken === 0) await readyOr(stream, timeUp.signal);
      }
      await stream.close({ signal: givenUp.signal });
    } catch {
      // The session was lost, the stream was given up, or its end takes too long: the figures say so.
      isBroken = true;
      stream.abort();
    }
  };
  let packets = 0;
  let copies = 0;
  const count = () => {
    if (endedAt !== undefined) return;
    let [packetsNow, copiesNow] = [0, 0];
    for (const { streamId, send } of link.streams(peer)) {
      if (send === undefined || !ids.has(streamId)) continue;
      packetsNow += send.packets;
      copiesNow += send.resent;
    }
    // A stream that was given up is not listed any more.
    packets = Math.max(packets, packetsNow);
    copies = Math.max(copies, copiesNow);
  };
  const finished = (async () => {
    try {
      const streams = [...ids].map((id) => link.openSendStream(peer, id, { windowBytes }));
      await Promise.all(streams.map(sendOn));
    } catch {
      // Without a session nothing is sent.
      isBroken = true;
    }
    for (const cancel of cancels) cancel();
    count();
    endedAt = clock.now();
  })();
  return {
    finished,
    figures: () => {
      count();
      const spanMs = (endedAt ?? clock.now()) - startedAt;
      const bytes = events * eventBytes;
      return { isDone: endedAt !== undefined, isBroken, events, bytes, spanMs, packets, copies };
    },
    end: () => {
      timeUp.abort();
      givenUp.abort();
    },
  };
}

/** Waits until the stream takes more or the time is up. */
async function readyOr(stream: SendStreamHandle, timeUp: AbortSignal): Promise<void> {
  try {
    await stream.ready({ signal: timeUp });
  } catch (error) {
    if (!timeUp.aborted) throw error;
  }
}

function streamIdsOf({ run, step, spec }: StepPlace): ReadonlySet<bigint> {
  const ids = new Set<bigint>();
  for (let i = 0; i < spec.streams; i++) ids.add(benchStreamId(run, step, i));
  return ids;
}
