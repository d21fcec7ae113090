/** What the rpc verbs share: the argument that is a service, nodes to call, and what to do about errors. */
import { NetError, pause } from "../src/base/mod.ts";
import { isServiceName } from "../src/rpc/mod.ts";
import { commandAt } from "./connect.ts";
import type { NodeCaller } from "./doors.ts";
import { type SharedFlags, textFlag } from "./flags.ts";
import type { Io } from "./io.ts";
import { listOf, numberOf, recordOf, textOf } from "./format.ts";
import { proposePeers } from "./peer_argument.ts";
import { proposeFrom } from "./proposals.ts";

/** Time a running node has to answer. */
export const RPC_ANSWER_MS = 10_000;

/** Status of a handler that failed, the first one that is a service's own, and that of exit code 0. */
const STATUS_INTERNAL = 6;
const STATUS_APPLICATION = 0x8000;
/** Status of a command that failed: this and its exit code. */
export const STATUS_EXIT_CODE = 0x8100;
/** Begins what is told of a command that said nothing itself. */
export const COMMAND_ENDED = "the command ended";

/** How often a waiting call looks for a node that offers the service. */
const OFFER_LOOK_MS = 100;

/** Services that nodes offer. */
export const proposeServices = proposeFrom({
  method: "nrpc.ls",
  list: "services",
  field: "service",
});

const SERVICE = {
  parse: String,
  placeholder: "SERVICE",
  proposeCompletions: proposeServices,
} as const;

/** A service that must be named. */
export const SERVICE_ARGUMENT = {
  ...SERVICE,
  brief: "Name of the service, such as upper",
} as const;

/** A service that may be left out. */
export function optionalService(otherwise: string) {
  return {
    ...SERVICE,
    optional: true,
    brief: `Name of the service; default: ${otherwise}`,
  } as const;
}

/** The node that is called. */
export const NODE_FLAG = {
  ...textFlag(
    "PEER",
    "Node to call, a node id or its first digits, or self; default: any that offers it",
  ),
  proposeCompletions: proposePeers,
} as const;

/** Flag that chooses among several nodes. */
export const ROUTING_FLAG = textFlag(
  "HOW",
  "How a node is chosen: round_robin, random, lowest_latency or sticky:KEY; default: round_robin",
);

/**
 * Members of a call's parameters for `--routing`.
 *
 * @throws NetError `usage` for another word.
 */
export function routingParams(text: string | undefined): Readonly<Record<string, string>> {
  if (text === undefined) return {};
  const [word, ...rest] = text.split(":");
  const key = rest.join(":");
  const routing = word?.replaceAll("-", "_") ?? "";
  if (routing === "sticky" && key !== "") return { routing, sticky_key: key };
  if (["round_robin", "random", "lowest_latency"].includes(routing) && rest.length === 0) {
    return { routing };
  }
  throw new NetError(
    "usage",
    `Cannot use --routing: value is "${text}", must be round_robin, random, lowest_latency or sticky:KEY`,
    { next: "write for example --routing sticky:alice" },
  );
}

/**
 * The whole number of a flag.
 *
 * @throws NetError `usage` when it is none, or out of bounds.
 */
export function wholeFlag(
  name: string,
  text: string | undefined,
  { min = 1, max = Number.MAX_SAFE_INTEGER }: { readonly min?: number; readonly max?: number } = {},
): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  const bounds = max === Number.MAX_SAFE_INTEGER ? `at least ${min}` : `${min} to ${max}`;
  throw new NetError(
    "usage",
    `Cannot use ${name}: value is "${text}", must be a whole number, ${bounds}`,
    { next: `write for example ${name} ${min}` },
  );
}

/**
 * Looks at a name before a node is asked.
 *
 * @throws NetError `usage` for what can't be the name of a service.
 */
export function requireService(action: string, service: string): void {
  if (isServiceName(service)) return;
  throw new NetError("usage", `${action} "${service}": it is no name of a service`, {
    next: "write names as echo or tools/echo: a-z 0-9 - _ . in segments, slashes between",
  });
}

/** What is waited for, and for how long. */
export interface UntilOfferedOptions {
  readonly service: string;
  /** The one node to call, as `--node` has it; any when left out. */
  readonly target: string | undefined;
  readonly waitMs: number;
  /** Told once, when there is something to wait for. */
  readonly note: () => void;
  readonly signal: AbortSignal;
}

/** Waits until a node offers a service, or the time is over: then the call itself says what is missing. */
export async function untilOffered(
  io: Pick<Io, "now">,
  node: NodeCaller,
  { service, target, waitMs, note, signal }: UntilOfferedOptions,
): Promise<void> {
  const deadline = io.now() + waitMs;
  const isMeant = ({ node_id: id, own }: Readonly<Record<string, unknown>>) =>
    target === undefined || (target === "self" ? own === true : textOf(id).startsWith(target));
  for (let isTold = false;; isTold = true) {
    const { services } = recordOf(await node.call("nrpc.ls", { service }, { signal }));
    const nodes = listOf(services).flatMap((row) => listOf(recordOf(row).nodes).map(recordOf));
    const leftMs = deadline - io.now();
    if (nodes.some(isMeant) || leftMs <= 0) return;
    if (!isTold) note();
    await pause(Math.min(OFFER_LOOK_MS, leftMs), signal);
  }
}

/**
 * A failed call as a person reads it: who failed, how, and what to do about it.
 *
 * @param flags Where the node of the verb is, for commands that are proposed.
 */
export function explainCall(error: unknown, service: string, flags: SharedFlags = {}): unknown {
  if (!(error instanceof NetError)) return error;
  const next = nextOf(error, { service, at: (command) => commandAt(command, flags) });
  const message = messageOf(error, service);
  if (next === undefined && message === error.message) return error;
  return new NetError(error.code, message, {
    cause: error,
    next: next ?? error.next,
    data: error.data,
  });
}

/** What the service said, behind whose word it is. */
function messageOf({ message, data }: NetError, service: string): string {
  const { kind, status: told, target } = data ?? {};
  const status = numberOf(told);
  if (kind !== "server_error" || status === undefined) return message;
  const who = typeof target === "string" ? `${service} on node ${target}` : service;
  if (status !== STATUS_INTERNAL && status < STATUS_APPLICATION) {
    return message.startsWith("Cannot ") ? message : `Cannot call ${who}: ${message}`;
  }
  if (message.startsWith(COMMAND_ENDED)) return `${who} failed: ${message}`;
  const code = status - STATUS_EXIT_CODE;
  const how = code > 0 && code <= 0xff
    ? ` with exit code ${code}`
    : status === STATUS_INTERNAL
    ? ""
    : ` with status 0x${status.toString(16)}`;
  return `${who} failed${how}: ${message}`;
}

interface Hint {
  readonly service: string;
  /** A command that means the same node as the one that failed. */
  at(command: string): string;
}

function nextOf({ data, next }: NetError, { service, at }: Hint): string | undefined {
  switch (data?.kind) {
    case "no_route":
      // Of one node that is out of reach the error itself says what helps.
      if (data.target !== undefined && next !== undefined) return undefined;
      return `see ${at(`net rpc ls ${service}`)} for the nodes that offer it and ${
        at("net node peers")
      } for those in reach; net rpc call --wait 15s waits for one that has just begun`;
    case "timeout":
      return "repeat with a longer --timeout, or see net rpc watch on the node that serves it";
    case "server_error":
      return statusHint(numberOf(data.status), service, at);
  }
  if (next !== undefined) return undefined;
  switch (data?.kind) {
    case "transport":
      return `look with ${at("net node peers")} whether the node is still there, then repeat`;
    case "capability_denied":
      return ADMIT;
    case "too_large":
      return "store the body with net blob put and send its address";
    case "cancelled":
      return endedHint(service, at);
    case "backpressure":
    case "breaker_open":
      return "repeat in a moment, or with --retry 5";
    default:
      return undefined;
  }
}

const ADMIT =
  "have the node that serves it admit this one, with net cap announce --allow-node there";

function endedHint(service: string, at: Hint["at"]): string {
  return `it was ended on the other side: repeat it, or see ${
    at(`net rpc ls ${service}`)
  } for other nodes`;
}

/** What an answer's status asks for (`nrpc.md` 4). */
function statusHint(status: number | undefined, service: string, at: Hint["at"]): string {
  switch (status) {
    case 1:
      return `see ${at(`net rpc ls ${service}`)} for the nodes that offer it`;
    case 2:
    case 8:
    case 9:
      return ADMIT;
    case 3:
      return "repeat with a longer --timeout";
    case 4:
      return "repeat in a moment, or with --retry 5";
    case 5:
      return endedHint(service, at);
    case 0x8000:
      return "correct the body: the service cannot read it";
    default:
      return "correct what the service complains about; net rpc watch on its node shows each call";
  }
}
