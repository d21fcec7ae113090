/**
 * Which trace a call belongs to (`capabilities.md` 18, `nrpc.md` 10): ids as the W3C's Trace Context
 * writes them, their two headers, and who is sampled.
 *
 * Headers come from strangers. A parent that cannot be read starts a new trace; a state that cannot be
 * read is left out, as that page asks for.
 */
import type { RandomBytes } from "../../../base/mod.ts";
import { TRACE_STATE_BYTES_MAX, TRACE_STATE_MEMBERS_MAX } from "./limits.ts";

/** Names of the headers; read in any case. */
export const HEADER_TRACE_PARENT = "traceparent";
export const HEADER_TRACE_STATE = "tracestate";

/** Bytes of a trace's and of a span's id. */
const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;
const FLAG_SAMPLED = 0x01;
const PARENT_LENGTH = 55;

/** A place in a trace. */
export interface TraceContext {
  /** 32 hex digits, not all zero. */
  readonly traceId: string;
  /** 16 hex digits, not all zero: the call itself. */
  readonly spanId: string;
  /** The call it came from; `undefined` for the first of a trace. */
  readonly parentSpanId: string | undefined;
  readonly isSampled: boolean;
  /** What vendors pass along, first member last changed; empty when there is nothing. */
  readonly state: readonly TraceStateMember[];
}

/** One vendor's entry of a trace state. */
export type TraceStateMember = readonly [key: string, value: string];

/** Whether a new trace is recorded. */
export type TraceSampling =
  | { readonly kind: "always" | "never" }
  /** This share of the traces, from 0 to 1; every node decides alike. */
  | { readonly kind: "ratio"; readonly share: number };

/** Why a header is no parent. */
export type TraceParentFault = "malformed" | "zero_id" | "bad_version";

/** What {@linkcode decodeTraceParent} found. */
export type DecodedTraceParent =
  | { readonly ok: true; readonly traceId: string; readonly spanId: string; readonly flags: number }
  | { readonly ok: false; readonly fault: TraceParentFault };

/** A header and its value. */
export type TraceHeader = readonly [name: string, value: string];

/**
 * Starts a trace.
 *
 * @example
 * ```ts
 * import { startTrace } from "./trace_context.ts";
 * const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));
 * console.assert(startTrace(random, { kind: "always" }).isSampled);
 * ```
 */
export function startTrace(random: RandomBytes, sampling: TraceSampling): TraceContext {
  const traceId = drawId(random, TRACE_ID_BYTES);
  return {
    traceId,
    spanId: drawId(random, SPAN_ID_BYTES),
    parentSpanId: undefined,
    isSampled: isSampled(traceId, sampling),
    state: [],
  };
}

/** The next call of the same trace. */
export function continueTrace(parent: TraceContext, random: RandomBytes): TraceContext {
  return { ...parent, spanId: drawId(random, SPAN_ID_BYTES), parentSpanId: parent.spanId };
}

/**
 * The call that came with some headers: it goes on where its caller was, or starts a trace of its own.
 * The caller's word on sampling counts.
 */
export function receiveTrace(
  headers: Iterable<readonly [name: string, value: string]>,
  random: RandomBytes,
  sampling: TraceSampling,
): TraceContext {
  let parent: string | undefined;
  let state: string | undefined;
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (lower === HEADER_TRACE_PARENT) parent ??= value;
    // Several headers are one list, cut in pieces.
    else if (lower === HEADER_TRACE_STATE) {
      state = state === undefined ? value : `${state},${value}`;
    }
  }
  const decoded = parent === undefined ? undefined : decodeTraceParent(parent);
  if (decoded === undefined || !decoded.ok) return startTrace(random, sampling);
  return {
    traceId: decoded.traceId,
    spanId: drawId(random, SPAN_ID_BYTES),
    parentSpanId: decoded.spanId,
    isSampled: (decoded.flags & FLAG_SAMPLED) !== 0,
    state: state === undefined ? [] : decodeTraceState(state) ?? [],
  };
}

/** Headers that a call carries; an empty state is not sent. */
export function traceHeaders(context: TraceContext): readonly TraceHeader[] {
  const flags = context.isSampled ? "01" : "00";
  const parent = `00-${context.traceId}-${context.spanId}-${flags}`;
  const headers: TraceHeader[] = [[HEADER_TRACE_PARENT, parent]];
  if (context.state.length > 0) headers.push([HEADER_TRACE_STATE, formatState(context.state)]);
  return headers;
}

/** Puts a member first in the state, in place of one with the same key; the last ones may have to go. */
export function setTraceState(context: TraceContext, key: string, value: string): TraceContext {
  if (!STATE_KEY.test(key) || !STATE_VALUE.test(value)) {
    throw new RangeError(
      `Cannot set trace state: key or value has characters that are not allowed`,
    );
  }
  const state: TraceStateMember[] = [
    [key, value],
    ...context.state.filter(([other]) => other !== key),
  ];
  while (state.length > 1 && !fits(state)) state.pop();
  if (!fits(state)) {
    throw new RangeError(
      `Cannot set trace state: it is longer than ${TRACE_STATE_BYTES_MAX} bytes, must be at most that`,
    );
  }
  return { ...context, state };
}

/** Reads a parent header; never throws. */
export function decodeTraceParent(text: string): DecodedTraceParent {
  // A newer version may say more, after another dash.
  const match = text.length >= PARENT_LENGTH && text.length <= 2 * PARENT_LENGTH
    ? PARENT.exec(text)
    : null;
  if (match === null) return { ok: false, fault: "malformed" };
  const [, version = "", traceId = "", spanId = "", flags = "", rest] = match;
  if (version === "ff") return { ok: false, fault: "bad_version" };
  if (version === "00" && rest !== undefined) return { ok: false, fault: "malformed" };
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return { ok: false, fault: "zero_id" };
  return { ok: true, traceId, spanId, flags: parseInt(flags, 16) };
}

/** Reads a state header; `undefined` when it breaks the rules, and is to be left out as a whole. */
export function decodeTraceState(text: string): readonly TraceStateMember[] | undefined {
  if (text.length > TRACE_STATE_BYTES_MAX) return undefined;
  const state: TraceStateMember[] = [];
  const keys = new Set<string>();
  for (const part of text.split(",")) {
    const member = part.replace(/^[ \t]+|[ \t]+$/g, "");
    if (member === "") continue;
    const at = member.indexOf("=");
    const key = member.slice(0, Math.max(at, 0));
    const value = member.slice(at + 1);
    if (!STATE_KEY.test(key) || !STATE_VALUE.test(value) || keys.has(key)) return undefined;
    keys.add(key);
    state.push([key, value]);
  }
  return state.length <= TRACE_STATE_MEMBERS_MAX ? state : undefined;
}

/** Whether a trace is recorded: a matter of its id, so that all nodes decide alike. */
export function isSampled(traceId: string, sampling: TraceSampling): boolean {
  switch (sampling.kind) {
    case "always":
      return true;
    case "never":
      return false;
    case "ratio":
      // The last seven bytes are the random ones of an id; 52 bits of them make a number below 1.
      return parseInt(traceId.slice(-13), 16) / 2 ** 52 < sampling.share;
  }
}

const PARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const STATE_KEY =
  /^(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})$/;
/** Printable characters without comma and equals sign, the last one no blank. */
const STATE_VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

function formatState(state: readonly TraceStateMember[]): string {
  return state.map(([key, value]) => `${key}=${value}`).join(",");
}

function fits(state: readonly TraceStateMember[]): boolean {
  return state.length <= TRACE_STATE_MEMBERS_MAX &&
    formatState(state).length <= TRACE_STATE_BYTES_MAX;
}

function drawId(random: RandomBytes, length: number): string {
  const id = random(length);
  // All zeros mean none; the chance is one in 2^64.
  if (id.every((byte) => byte === 0)) id[length - 1] = 1;
  return id.toHex();
}
