/**
 * Methods about calls between nodes; all of them privileged. They begin with `nrpc`, because JSON-RPC keeps
 * names that begin with `rpc.` for itself.
 */
import * as v from "../../schema/mod.ts";
import { BODY_BYTES_MAX, CREDITS_MAX, type Rpc, type RpcMetrics } from "../../rpc/mod.ts";
import { defineMethod, type Method } from "../method.ts";
import { benchRpc } from "./rpc_bench.ts";
import { CALL_OPTIONS, readCallOptions, SERVICE, SHAPES } from "./rpc_call_options.ts";
import { RpcCalls } from "./rpc_calls.ts";
import { GatherBudget, ITEMS_MAX, PIECE_TEXT_MAX } from "./rpc_items.ts";
import type { ServingNode } from "./rpc_serving.ts";
import { RpcServings } from "./rpc_servings.ts";
import { describeServices, type ServiceView } from "./rpc_view.ts";
import { RpcWatch } from "./rpc_watch.ts";

/** What the methods see of a node. */
export interface RpcNode extends ServiceView {
  readonly rpc: Rpc & { readonly meters: RpcMetrics };
  readonly tools: ServingNode["tools"];
  /** Aborted when the node begins to stop. */
  readonly stopSignal: AbortSignal;
  readonly metrics: {
    register(subsystem: string, source: () => Readonly<Record<string, number>>): unknown;
  };
}

const ID = v.pipe(v.string(), v.uuid());
const SHAPE = v.picklist(SHAPES);
const WHOLE = v.pipe(v.number(), v.integer(), v.minValue(1));
const NOT_NEGATIVE = v.pipe(v.number(), v.integer(), v.minValue(0));
const ITEMS = v.optional(
  v.pipe(v.array(v.pipe(v.string(), v.maxLength(PIECE_TEXT_MAX))), v.maxLength(ITEMS_MAX)),
  [],
);
const PIECES = {
  items: ITEMS,
  more: v.optional(v.boolean(), false),
  end: v.optional(v.boolean(), false),
};
const SERVED = { serving: ID, call: WHOLE };
/** Handlers at a time that a program may ask for. */
const RUNNING_MAX = 65_536;

/** The methods about calls. */
export function rpcMethods(node: RpcNode): readonly Method[] {
  const budget = new GatherBudget();
  const calls = new RpcCalls(node, budget);
  const servings = new RpcServings(node, budget);
  const watch = new RpcWatch(() => node.rpc.meters, node.stopSignal);
  node.metrics.register("rpc_programs", () => ({
    uploads: calls.uploadCount,
    servings: servings.count,
    watchers: watch.count,
    gathered_bytes: budget.bytes,
    gather_refused_total: budget.refused,
    ...Object.fromEntries(
      Object.entries(servings.counts()).map(([name, count]) => [`served_${name}_total`, count]),
    ),
  }));
  return [
    defineMethod({
      name: "nrpc.call",
      access: "privileged",
      summary: "Call a service; the answer comes in the reply, or item by item as progress",
      isReadOnly: false,
      params: v.object({
        service: SERVICE,
        shape: v.optional(SHAPE, "unary"),
        body: v.optional(v.pipe(v.string(), v.maxLength(PIECE_TEXT_MAX))),
        encoding: v.optional(v.picklist(["utf8", "base64"]), "utf8"),
        open: v.optional(v.boolean(), false),
        answer: v.optional(v.picklist(["reply", "progress"]), "reply"),
        ...CALL_OPTIONS,
      }),
      handle: (params, context) => calls.call(params, context),
    }),
    defineMethod({
      name: "nrpc.send",
      access: "privileged",
      summary: "Send items, or pieces of one, for a call that was made open",
      isReadOnly: false,
      isContinuation: true,
      params: v.object({ call: ID, ...PIECES }),
      handle: (params) => calls.send(params),
    }),
    defineMethod({
      name: "nrpc.serve",
      access: "privileged",
      summary: "Serve a name: calls come as progress, until the connection ends",
      isReadOnly: false,
      isOpenEnded: true,
      params: v.object({
        service: SERVICE,
        shape: v.optional(SHAPE, "unary"),
        running_max: v.optional(v.pipe(WHOLE, v.maxValue(RUNNING_MAX))),
        running_per_peer_max: v.optional(v.pipe(WHOLE, v.maxValue(RUNNING_MAX))),
        handler_timeout_ms: v.optional(NOT_NEGATIVE),
        request_window: v.optional(v.pipe(WHOLE, v.maxValue(CREDITS_MAX))),
        tool: v.optional(v.pipe(v.string(), v.maxLength(PIECE_TEXT_MAX))),
      }),
      handle: (params, context) => servings.serve(params, context),
    }),
    defineMethod({
      name: "nrpc.take",
      access: "privileged",
      summary: "The next items, or a piece of a long one, that a caller sends; waits for the first",
      isReadOnly: false,
      isContinuation: true,
      params: v.object(SERVED),
      handle: (params) => servings.take(params),
    }),
    defineMethod({
      name: "nrpc.answer",
      access: "privileged",
      summary: "Answer a served call with items, with pieces of one, or with an error",
      isReadOnly: false,
      isContinuation: true,
      params: v.object({
        ...SERVED,
        ...PIECES,
        error: v.optional(v.object({
          status: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(0xffff)),
          message: v.pipe(v.string(), v.maxLength(PIECE_TEXT_MAX)),
          body: v.optional(v.pipe(v.string(), v.maxLength(PIECE_TEXT_MAX))),
        })),
      }),
      handle: (params) => servings.answer(params),
    }),
    defineMethod({
      name: "nrpc.unserve",
      access: "privileged",
      summary: "Take no more calls of a served name; answers when those that run are over",
      isReadOnly: false,
      isContinuation: true,
      params: v.object({ serving: ID }),
      handle: ({ serving }) => servings.end(serving),
    }),
    defineMethod({
      name: "nrpc.ls",
      access: "privileged",
      summary: "Services that nodes of the mesh offer, and which nodes",
      isReadOnly: true,
      params: v.object({ service: v.optional(SERVICE) }),
      handle: ({ service }) => describeServices(node, service, (name) => servings.shapeOf(name)),
    }),
    defineMethod({
      name: "nrpc.stats",
      access: "privileged",
      summary: "Counters and times of calls by service, as JSON or as text for Prometheus",
      isReadOnly: true,
      answersWhileDraining: true,
      params: v.object({ format: v.optional(v.picklist(["json", "prometheus"]), "json") }),
      handle: ({ format }) =>
        format === "json" ? node.rpc.meters.snapshot() : { text: node.rpc.meters.prometheusText() },
    }),
    defineMethod({
      name: "nrpc.watch",
      access: "privileged",
      summary: "Tell of calls from and to this node as they end, until cancelled",
      isReadOnly: false,
      isOpenEnded: true,
      params: v.object({
        service: v.optional(SERVICE),
        direction: v.optional(v.picklist(["inbound", "outbound"])),
        count: v.optional(WHOLE),
      }),
      handle: (params, context) => watch.watch(params, context),
    }),
    defineMethod({
      name: "nrpc.bench",
      access: "privileged",
      summary: "Call a service as fast as it answers, and tell how fast that is",
      isReadOnly: false,
      params: v.object({
        service: SERVICE,
        in_flight: v.optional(v.pipe(WHOLE, v.maxValue(4_096)), 16),
        body_bytes: v.optional(v.pipe(NOT_NEGATIVE, v.maxValue(BODY_BYTES_MAX)), 64),
        seconds: v.optional(v.pipe(v.number(), v.minValue(0.01), v.maxValue(600)), 5),
        ...CALL_OPTIONS,
      }),
      handle: (params, context) =>
        benchRpc(node.rpc, {
          service: params.service,
          inFlight: params.in_flight,
          bodyBytes: params.body_bytes,
          seconds: params.seconds,
          call: readCallOptions(node, params),
        }, context),
    }),
  ];
}
