/**
 * A Rust peer process that also speaks of folds: islands, reservations, counts, and the services of
 * aggregators. Everything else is `rust_peer_process.ts`.
 *
 * Run with `deno run -A test/interop/fold_peer_process.ts`; its client is `rust_folds_test.ts`. Argument
 * order and results were found by calling release 0.36.0.
 */
import { Buffer } from "node:buffer";
import { loadRustAddon, type RustMesh, toBuffer } from "./rust_addon.ts";
import { createHandlers } from "./rust_peer_process.ts";
import type { RustOperations } from "./rust_protocol.ts";
import { serveLines } from "./serve_lines.ts";

/** An island as the core takes it. */
export interface RustIsland {
  readonly id: bigint;
  readonly units: readonly number[];
  readonly capabilities: readonly string[];
  readonly load: number;
  readonly p50LatencyUs: number;
}

/** One count. */
export interface RustCount {
  readonly bucket: string;
  readonly value: bigint;
}

/** A summary as clients of the core get it. */
export interface RustSummary {
  readonly foldKind: number;
  readonly sourceSubnet: string;
  readonly generation: bigint;
  readonly buckets: readonly { readonly name: string; readonly count: bigint }[];
}

/** A group as clients of the core get it. */
export interface RustGroup {
  readonly name: string;
  readonly groupSeedFingerprintHex: string;
}

interface NodeArguments {
  readonly node: number;
}

/** Operations of this process. */
export interface FoldOperations extends RustOperations {
  /** Peers that were told. */
  publishIsland: [NodeArguments & { island: RustIsland }, number];
  /** Islands of hosts that announced the tag. */
  matchIslands: [NodeArguments & { tag: string }, bigint[]];
  reserve: [NodeArguments & { resource: bigint; untilUs: bigint }, string];
  release: [NodeArguments & { resource: bigint }, string];
  /** Nodes with a tag, by class, state or region. */
  countByTag: [NodeArguments & { tag: string; by: "class" | "state" | "region" }, RustCount[]];
  /** Answers every call of a service with these bytes. */
  serveReply: [NodeArguments & { service: string; reply: Uint8Array }, null];
  /** Asks an aggregator as a client of the core does; the error's text when it answers with one. */
  queryFold: [
    NodeArguments & { target: bigint; kind: number; isFresh: boolean },
    readonly RustSummary[] | string,
  ];
  listGroups: [NodeArguments & { target: bigint }, readonly RustGroup[] | string];
}

interface FoldingMesh extends RustMesh {
  publishIslandTopology(island: RustIsland): Promise<number>;
  matchIslands(filter: { readonly tagsAll: readonly string[] }): Promise<bigint[]>;
  reserveIsland(resource: bigint, untilUs: bigint): Promise<string>;
  releaseIsland(resource: bigint): Promise<string>;
  capabilityAggregate(matcher: string, groupBy: string, aggregation: string): RustCount[];
}

interface FoldClient {
  queryLatest(target: bigint, kind: number): Promise<readonly RustSummary[]>;
  querySummarizeNow(target: bigint, kind: number): Promise<readonly RustSummary[]>;
}

interface RegistryClient {
  list(target: bigint): Promise<readonly RustGroup[]>;
}

interface FoldAddon {
  readonly FoldQueryClient: { create(mesh: RustMesh): FoldClient };
  readonly RegistryClient: { create(mesh: RustMesh): RegistryClient };
}

type FoldHandlers = {
  readonly [Name in Exclude<keyof FoldOperations, keyof RustOperations>]: (
    args: FoldOperations[Name][0],
  ) => FoldOperations[Name][1] | Promise<FoldOperations[Name][1]>;
};

function createFoldHandlers() {
  const addon = loadRustAddon();
  const clients = addon as unknown as FoldAddon;
  const nodes: FoldingMesh[] = [];
  const handles: unknown[] = [];
  const nodeOf = (handle: number): FoldingMesh => {
    const node = nodes[handle];
    if (node === undefined) throw new RangeError(`No node has the handle ${handle}`);
    return node;
  };
  const folds: FoldHandlers = {
    publishIsland: ({ node, island }) => nodeOf(node).publishIslandTopology(island),
    matchIslands: ({ node, tag }) => nodeOf(node).matchIslands({ tagsAll: [tag] }),
    reserve: ({ node, resource, untilUs }) => nodeOf(node).reserveIsland(resource, untilUs),
    release: ({ node, resource }) => nodeOf(node).releaseIsland(resource),
    countByTag: ({ node, tag, by }) =>
      nodeOf(node).capabilityAggregate(
        JSON.stringify({ kind: "exact", value: tag }),
        JSON.stringify({ kind: by }),
        JSON.stringify({ kind: "count" }),
      ),
    serveReply: ({ node, service, reply }) => {
      const rpc = addon.MeshRpc.fromMesh(nodeOf(node));
      handles.push(rpc, rpc.serve(service, () => Promise.resolve(Buffer.from(toBuffer(reply)))));
      return null;
    },
    queryFold: ({ node, target, kind, isFresh }) => {
      const client = clients.FoldQueryClient.create(nodeOf(node));
      return orError(
        isFresh ? client.querySummarizeNow(target, kind) : client.queryLatest(target, kind),
      );
    },
    listGroups: ({ node, target }) =>
      orError(clients.RegistryClient.create(nodeOf(node)).list(target)),
  };
  return {
    ...createHandlers({
      ...addon,
      NetMesh: {
        create: async (options) => {
          const node = await addon.NetMesh.create(options) as FoldingMesh;
          nodes.push(node);
          return node;
        },
      },
    }),
    ...folds,
  };
}

async function orError<T>(answer: Promise<T>): Promise<T | string> {
  try {
    return await answer;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

if (import.meta.main) await serveLines(createFoldHandlers());
