/** What a program asks of a call, as JSON, and what the call is made with (`nrpc.md` 10, 11). */
import * as v from "../../schema/mod.ts";
import { NetError, systemRandom, utf8 } from "../../base/mod.ts";
import {
  decodeTraceParent,
  HEADER_TRACE_PARENT,
  HEADER_TRACE_STATE,
  parsePredicate,
  receiveTrace,
  type TraceContext,
} from "../../core/capability/mod.ts";
import { xxh3 } from "../../core/crypto/mod.ts";
import {
  type CallOptions,
  CANDIDATES_ASKED_MAX,
  CREDITS_MAX,
  HEADER_NAME_BYTES_MAX,
  HEADER_VALUE_BYTES_MAX,
  HEADERS_MAX,
  RETRY_ATTEMPTS_MAX,
  type RoutingPolicy,
  SERVICE_BYTES_MAX,
} from "../../rpc/mod.ts";
import type { MeshView } from "./mesh_view.ts";
import { resolvePeer } from "./peer_ref.ts";

/** The four shapes, by the names of `CallShape`. */
export const SHAPES = ["unary", "server_stream", "client_stream", "duplex"] as const;
/** How one of the nodes that offer a service is chosen. */
export const ROUTINGS = ["round_robin", "random", "sticky", "lowest_latency"] as const;
/** A day: whoever waits longer waits without a limit. */
const TIMEOUT_MS_MAX = 86_400_000;
const PREDICATE_TEXT_MAX = 4_096;
const RETRIES_MAX = RETRY_ATTEMPTS_MAX - 1;

/** A service's name. */
export const SERVICE = v.pipe(v.string(), v.minLength(1), v.maxLength(SERVICE_BYTES_MAX));

const OPTIONS = {
  /** Node id or its beginning, `self` for this one; any that offers the service when left out. */
  node: v.optional(v.pipe(v.string(), v.maxLength(64))),
  timeout_ms: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(TIMEOUT_MS_MAX))),
  headers: v.optional(
    v.pipe(
      v.array(v.object({
        name: v.pipe(v.string(), v.minLength(1), v.maxLength(HEADER_NAME_BYTES_MAX)),
        value: v.pipe(v.string(), v.maxLength(HEADER_VALUE_BYTES_MAX)),
      })),
      v.maxLength(HEADERS_MAX),
    ),
    [],
  ),
  where: v.optional(v.pipe(v.string(), v.maxLength(PREDICATE_TEXT_MAX))),
  /** Part of a trace: of the one that `parent` names, else of a new one. */
  trace: v.optional(v.object({
    parent: v.optional(v.string()),
    state: v.optional(v.pipe(v.string(), v.maxLength(HEADER_VALUE_BYTES_MAX))),
  })),
  routing: v.optional(v.picklist(ROUTINGS)),
  /** With `sticky`: equal keys lead to the same node while the nodes stay the same. */
  sticky_key: v.optional(v.pipe(v.string(), v.maxLength(1_024))),
  /** Peers that are given up count as well. */
  any_health: v.optional(v.boolean(), false),
  /** Running twice does no harm: another node is asked as well when the one that was picked stays silent. */
  idempotent: v.optional(v.boolean(), false),
  /** Attempts beyond the first, where another one may help. */
  retries: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(RETRIES_MAX)), 0),
  /** Nodes that are asked as well when the one before has not answered soon. */
  hedges: v.optional(
    v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(CANDIDATES_ASKED_MAX - 1)),
    0,
  ),
  /** How soon; 50 ms when left out. */
  hedge_delay_ms: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(TIMEOUT_MS_MAX))),
  /** Items of the answer that may be on their way. */
  window: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(CREDITS_MAX))),
};

/** Members of the parameters of every method that calls. */
export const CALL_OPTIONS = OPTIONS;

const SCHEMA = v.object(OPTIONS);

/** The same, read. */
export type CallOptionParams = v.InferOutput<typeof SCHEMA>;

/**
 * Options of a call.
 *
 * @throws NetError `usage` for a node, predicate or trace that can't be read, `not_found` for a node that
 * several could be meant by.
 */
export function readCallOptions(node: MeshView, params: CallOptionParams): CallOptions {
  return {
    target: params.node === undefined ? undefined : readTarget(node, params.node),
    timeoutMs: params.timeout_ms,
    headers: params.headers.map(({ name, value }) => ({ name, value: utf8(value) })),
    where: params.where === undefined ? undefined : parsePredicate(params.where),
    trace: params.trace === undefined
      ? undefined
      : readTrace(params.trace.parent, params.trace.state),
    routing: readRouting(params),
    filterUnhealthy: !params.any_health,
    streamWindow: params.window,
    isIdempotent: params.idempotent,
    retry: params.retries === 0 ? undefined : { attempts: params.retries + 1 },
    hedge: params.hedges === 0
      ? undefined
      : { hedges: params.hedges, delayMs: params.hedge_delay_ms },
  };
}

function readTarget(node: MeshView, text: string): bigint {
  const { nodeId } = node.mesh.transport;
  return text === "self" ? nodeId : resolvePeer(node, text, "Cannot call", [nodeId]);
}

function readTrace(parent: string | undefined, state: string | undefined): TraceContext {
  if (parent !== undefined && !decodeTraceParent(parent).ok) {
    throw new NetError("usage", "Cannot use trace: it is no traceparent", {
      next: "give it as 00-TRACE-SPAN-01, or leave it out to begin a new trace",
    });
  }
  const headers = [[HEADER_TRACE_PARENT, parent], [HEADER_TRACE_STATE, state]] as const;
  const given = headers.flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const]
  );
  return receiveTrace(given, systemRandom, { kind: "always" });
}

function readRouting({ routing, sticky_key: key }: CallOptionParams): RoutingPolicy | undefined {
  if (routing === undefined && key === undefined) return undefined;
  if (routing !== undefined && routing !== "sticky") return { kind: routing };
  if (key !== undefined) return { kind: "sticky", key: xxh3(key) };
  throw new NetError("usage", "Cannot route sticky: there is no key", {
    next: "say what calls belong together, for example --routing sticky:alice",
  });
}
