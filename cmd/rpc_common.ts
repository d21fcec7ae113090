/** What the rpc verbs share: the argument that is a service, nodes to call, and what to do about errors. */
import { NetError } from "../src/base/mod.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { textFlag } from "./flags.ts";
import { listOf, numberOf, recordOf, textOf } from "./format.ts";
import { proposePeers } from "./peer_argument.ts";

/** Time a running node has to answer. */
export const RPC_ANSWER_MS = 10_000;

/** Time a node has to answer while somebody waits for a completion. */
const PROPOSE_MS = 500;

/** Services that nodes offer and that begin with `partial`; none when no node answers. */
export async function proposeServices(
  this: NetContext,
  partial: string,
): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(PROPOSE_MS);
  try {
    const node = await connectNode(this, this.typed ?? {}, signal);
    try {
      const { services } = recordOf(await node.call("nrpc.ls", {}, { signal }));
      const names = listOf(services).map((row) => textOf(recordOf(row).service));
      return names.filter((name) => name.startsWith(partial));
    } finally {
      await node.close();
    }
  } catch {
    // Whoever presses Tab wants proposals or nothing.
    return [];
  }
}

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

/** A failed call with what to do about it, where nobody said that yet. */
export function explainCall(error: unknown, service: string): unknown {
  if (!(error instanceof NetError) || error.next !== undefined) return error;
  const next = nextOf(error, service);
  if (next === undefined) return error;
  return new NetError(error.code, error.message, { cause: error, next, data: error.data });
}

function nextOf({ data }: NetError, service: string): string | undefined {
  switch (data?.kind) {
    case "no_route":
      return `see net rpc ls ${service} for the nodes that offer it, and net node peers for those in reach`;
    case "timeout":
      return "repeat with a longer --timeout, or see net rpc watch on the node that serves it";
    case "transport":
      return "look with net node peers whether the node is still there, then repeat the command";
    case "capability_denied":
      return "have the node that serves it admit this one, with net cap announce --allow-node there";
    case "too_large":
      return "store the body with net blob put and send its address";
    case "cancelled":
      return `it was ended on the other side: repeat it, or see net rpc ls ${service} for other nodes`;
    case "backpressure":
    case "breaker_open":
      return "repeat in a moment, or with --retry 5";
    case "server_error":
      return statusHint(numberOf(data.status), service);
    default:
      return undefined;
  }
}

/** What an answer's status asks for (`nrpc.md` 4). */
function statusHint(status: number | undefined, service: string): string {
  switch (status) {
    case 1:
      return `see net rpc ls ${service} for the nodes that offer it`;
    case 2:
    case 8:
    case 9:
      return "have the node that serves it admit this one, with net cap announce --allow-node there";
    case 3:
      return "repeat with a longer --timeout";
    case 4:
      return "repeat in a moment, or with --retry 5";
    case 5:
      return `it was ended on the other side: repeat it, or see net rpc ls ${service} for other nodes`;
    case 0x8000:
      return "correct the body: the service cannot read it";
    default:
      return "see what the service itself said, above; net rpc watch on its node shows each call";
  }
}
