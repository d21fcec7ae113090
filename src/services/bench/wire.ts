/**
 * Messages of measurements: subprotocol and stream id 0x2201, in the vendors' range (`docs/bench.md`).
 *
 * Every message begins with kind (1), version (1), step (2) and run (4); integers are little-endian.
 * Decoders return `undefined` for anything else.
 */
import { joinHalves } from "../../base/mod.ts";
import { MAX_EVENT_BYTES } from "../../core/transport/mod.ts";
import { STREAMS_MAX } from "./limits.ts";

/** Subprotocol of measurements. */
export const BENCH_SUBPROTOCOL = 0x2201;

/** Stream id of its messages. */
export const BENCH_STREAM_ID = 0x2201n;

const VERSION = 1;
const HEAD_BYTES = 8;
const OPEN_BYTES = 12;
const REFUSED_BYTES = 9;
const STEP_BYTES = 24;
const FIGURES_BYTES = 56;
const ECHO_BYTES_MIN = 12;
/** First 16 bits of the stream ids of data; bits 61 and 48 are clear, so it is no other plane's. */
const STREAM_CLASS = 0x4e42;

const Kind = {
  Open: 1,
  Opened: 2,
  Refused: 3,
  Step: 4,
  Started: 5,
  Ask: 6,
  Figures: 7,
  Echo: 8,
  Echoed: 9,
  Close: 10,
  Closed: 11,
} as const;

const REFUSALS = ["busy", "not_proven", "off", "limits", "no_run", "version"] as const;

/** Why a node takes no part in a measurement. */
export type BenchRefusal = typeof REFUSALS[number];

/** Way of a step's events, as the asker sees it. */
export type BenchWay = "out" | "in";

/** What a step sends. */
export interface BenchStep {
  readonly way: BenchWay;
  readonly streams: number;
  readonly eventBytes: number;
  /** Credit window of each stream. */
  readonly windowBytes: number;
  /** Time of sending. */
  readonly durationMs: number;
}

/** What one side counted in a step. */
export interface BenchFigures {
  /** Nothing more will come. */
  readonly isDone: boolean;
  /** A stream was given up, so that not everything sent has arrived. */
  readonly isBroken: boolean;
  /** Events handed to the application, or taken from it. */
  readonly events: number;
  /** Bytes of those events. */
  readonly bytes: number;
  /** From the first event to the last. */
  readonly spanMs: number;
  /** Packets sent for the first time, or taken. */
  readonly packets: number;
  /** Packets sent again, or that came again. */
  readonly copies: number;
}

/** In the head of every message. */
interface Head {
  readonly run: number;
  readonly step: number;
}

/** A message that asks something of the receiver. */
export type BenchQuestion =
  & Head
  & (
    | { readonly kind: "open"; readonly runMs: number }
    | { readonly kind: "step"; readonly spec: BenchStep }
    | { readonly kind: "ask" }
    | { readonly kind: "echo"; readonly number: number; readonly length: number }
    | { readonly kind: "close" }
  );

/** A message that answers a question. */
export type BenchAnswer =
  & Head
  & (
    | { readonly kind: "opened" }
    | { readonly kind: "refused"; readonly reason: BenchRefusal }
    | { readonly kind: "started" }
    | { readonly kind: "figures"; readonly figures: BenchFigures }
    | { readonly kind: "echoed"; readonly number: number; readonly length: number }
    | { readonly kind: "closed" }
  );

/** Any message. */
export type BenchMessage = BenchQuestion | BenchAnswer;

const BARE_KINDS = {
  opened: Kind.Opened,
  started: Kind.Started,
  ask: Kind.Ask,
  close: Kind.Close,
  closed: Kind.Closed,
} as const;

/** Encodes a message; an echo is as long as its `length` says. */
export function encodeBenchMessage(message: BenchMessage): Uint8Array<ArrayBuffer> {
  switch (message.kind) {
    case "open": {
      const bytes = head(Kind.Open, message, OPEN_BYTES);
      new DataView(bytes.buffer).setUint32(8, message.runMs, true);
      return bytes;
    }
    case "refused": {
      const bytes = head(Kind.Refused, message, REFUSED_BYTES);
      bytes[8] = REFUSALS.indexOf(message.reason) + 1;
      return bytes;
    }
    case "step": {
      const { way, streams, eventBytes, windowBytes, durationMs } = message.spec;
      const bytes = head(Kind.Step, message, STEP_BYTES);
      const view = new DataView(bytes.buffer);
      view.setUint8(8, way === "out" ? 0 : 1);
      view.setUint16(10, streams, true);
      view.setUint16(12, eventBytes, true);
      view.setUint32(16, windowBytes, true);
      view.setUint32(20, durationMs, true);
      return bytes;
    }
    case "figures": {
      const { isDone, isBroken, events, bytes: size, spanMs, packets, copies } = message.figures;
      const bytes = head(Kind.Figures, message, FIGURES_BYTES);
      const view = new DataView(bytes.buffer);
      view.setUint8(8, (isDone ? 1 : 0) | (isBroken ? 2 : 0));
      const values = [events, size, Math.round(spanMs * 1000), packets, copies];
      values.forEach((value, i) => view.setBigUint64(16 + 8 * i, BigInt(value), true));
      return bytes;
    }
    case "echo":
    case "echoed": {
      const kind = message.kind === "echo" ? Kind.Echo : Kind.Echoed;
      const bytes = head(kind, message, Math.max(message.length, ECHO_BYTES_MIN));
      new DataView(bytes.buffer).setUint32(8, message.number, true);
      return bytes;
    }
    default:
      return head(BARE_KINDS[message.kind], message, HEAD_BYTES);
  }
}

/** Decodes a message of this version. */
export function decodeBenchMessage(bytes: Uint8Array): BenchMessage | undefined {
  if (bytes.length < HEAD_BYTES) return undefined;
  // A refusal is understood whatever its version: that may be what it is about.
  if (bytes[1] !== VERSION && bytes[0] !== Kind.Refused) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const id = { step: view.getUint16(2, true), run: view.getUint32(4, true) };
  const { length } = bytes;
  switch (bytes[0]) {
    case Kind.Open:
      if (length !== OPEN_BYTES) return undefined;
      return { ...id, kind: "open", runMs: view.getUint32(8, true) };
    case Kind.Refused: {
      const reason = length === REFUSED_BYTES ? REFUSALS[view.getUint8(8) - 1] : undefined;
      if (reason === undefined) return undefined;
      return { ...id, kind: "refused", reason };
    }
    case Kind.Step: {
      const spec = length === STEP_BYTES ? decodeStep(view) : undefined;
      return spec === undefined ? undefined : { ...id, kind: "step", spec };
    }
    case Kind.Figures: {
      const figures = length === FIGURES_BYTES ? decodeFigures(view) : undefined;
      return figures === undefined ? undefined : { ...id, kind: "figures", figures };
    }
    case Kind.Echo:
    case Kind.Echoed: {
      if (length < ECHO_BYTES_MIN) return undefined;
      const kind = bytes[0] === Kind.Echo ? "echo" : "echoed";
      return { ...id, kind, number: view.getUint32(8, true), length };
    }
    default: {
      const kind = BARE_NAMES.get(bytes[0] ?? 0);
      return kind === undefined || length !== HEAD_BYTES ? undefined : { ...id, kind };
    }
  }
}

/** The refusal that an opening message of another version is answered with; nothing else of one is. */
export function refuseOtherVersion(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length < HEAD_BYTES || bytes[0] !== Kind.Open || bytes[1] === VERSION) return undefined;
  const run = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true);
  return encodeBenchMessage({ kind: "refused", run, step: 0, reason: "version" });
}

/** Stream id of one of a step's streams: class (16), run (32), step (4), number (12). */
export function benchStreamId(run: number, step: number, index: number): bigint {
  const low = ((run & 0xffff) << 16) | ((step & 0xf) << 12) | index;
  const high = (STREAM_CLASS << 16) | (run >>> 16);
  return joinHalves(low >>> 0, high >>> 0);
}

const BARE_NAMES: ReadonlyMap<number, keyof typeof BARE_KINDS> = new Map(
  (Object.keys(BARE_KINDS) as (keyof typeof BARE_KINDS)[]).map((name) => [BARE_KINDS[name], name]),
);

function head(
  kind: number,
  id: Head,
  length: number,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, kind);
  view.setUint8(1, VERSION);
  view.setUint16(2, id.step, true);
  view.setUint32(4, id.run, true);
  return bytes;
}

function decodeStep(view: DataView): BenchStep | undefined {
  const way = view.getUint8(8);
  const streams = view.getUint16(10, true);
  const eventBytes = view.getUint16(12, true);
  if (way > 1 || streams < 1 || streams > STREAMS_MAX) return undefined;
  if (eventBytes < 1 || eventBytes > MAX_EVENT_BYTES) return undefined;
  return {
    way: way === 0 ? "out" : "in",
    streams,
    eventBytes,
    windowBytes: view.getUint32(16, true),
    durationMs: view.getUint32(20, true),
  };
}

/** Figures are counted in numbers; what is none of those was not counted. */
function decodeFigures(view: DataView): BenchFigures | undefined {
  const values = [0, 1, 2, 3, 4].map((i) => Number(view.getBigUint64(16 + 8 * i, true)));
  if (!values.every(Number.isSafeInteger)) return undefined;
  const value = (i: number) => values[i] ?? 0;
  return {
    isDone: (view.getUint8(8) & 1) !== 0,
    isBroken: (view.getUint8(8) & 2) !== 0,
    events: value(0),
    bytes: value(1),
    spanMs: value(2) / 1000,
    packets: value(3),
    copies: value(4),
  };
}
