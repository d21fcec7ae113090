/**
 * A Rust peer process whose nodes run channels, publish and subscribe; everything else is
 * `rust_peer_process.ts`.
 *
 * Run with `deno run -A test/interop/channel_peer_process.ts`; its clients are `rust_channels_test.ts` and
 * `bench/channel.ts`. Argument order and results were found by calling release 0.36.0: a token to subscribe
 * with is a single one of 169 bytes, ids of failures are bigints; queue groups and origin binding are not
 * offered.
 */
import type { Buffer } from "node:buffer";
import { loadRustAddon, type RustMesh, type RustMeshOptions, toBuffer } from "./rust_addon.ts";
import { createHandlers } from "./rust_peer_process.ts";
import type { RustOperations } from "./rust_protocol.ts";
import { serveLines } from "./serve_lines.ts";

/** What became of a publish of the core. */
export interface RustPublishReport {
  readonly attempted: number;
  readonly delivered: number;
  readonly errors: readonly { readonly nodeId: bigint; readonly message: string }[];
}

/** Operations of this process. */
export interface ChannelOperations extends RustOperations {
  registerChannel: [
    {
      node: number;
      name: string;
      tokenRoots?: readonly Uint8Array[];
      requireToken?: boolean;
      isReliable?: boolean;
      priority?: number;
    },
    null,
  ];
  /** True, or the core's error. */
  subscribe: [{ node: number; publisher: bigint; name: string; token?: Uint8Array }, true | string];
  unsubscribe: [{ node: number; publisher: bigint; name: string }, true | string];
  /** The report, or the core's error. */
  publish: [
    { node: number; name: string; event: Uint8Array; isReliable?: boolean },
    RustPublishReport | string,
  ];
  /** Publishes the same event again and again. */
  publishMany: [
    { node: number; name: string; event: Uint8Array; count: number; isReliable: boolean },
    { seconds: number; delivered: number; failed: number },
  ];
  /** Serves RPC, which registers reply channels that are bound to their callers. */
  findNodes: [{ node: number; tag: string }, bigint[]];
}

interface ChannelMesh extends RustMesh {
  registerChannel(options: object): void;
  subscribeChannel(publisher: bigint, name: string, token?: Buffer): Promise<void>;
  unsubscribeChannel(publisher: bigint, name: string): Promise<void>;
  publish(name: string, event: Buffer, options?: object): Promise<RustPublishReport>;
  findNodes(filter: { readonly requireTags: readonly string[] }): bigint[];
}

async function main(): Promise<never> {
  const addon = loadRustAddon();
  const nodes: ChannelMesh[] = [];
  const handlers = createHandlers({
    ...addon,
    NetMesh: {
      create: async (options: RustMeshOptions) => {
        const node = await addon.NetMesh.create(options) as ChannelMesh;
        nodes.push(node);
        return node;
      },
    },
  });
  const nodeOf = (handle: number): ChannelMesh => {
    const node = nodes[handle];
    if (node === undefined) throw new RangeError(`No node has the handle ${handle}`);
    return node;
  };
  const outcome = async <T>(action: () => Promise<T>): Promise<T | string> => {
    try {
      return await action();
    } catch (error) {
      return String((error as Error)?.message ?? error);
    }
  };
  const publish = (
    { node, name, event, isReliable = false }: ChannelOperations["publish"][0],
  ) =>
    nodeOf(node).publish(name, toBuffer(event), {
      reliability: isReliable ? "reliable" : "fire_and_forget",
      onFailure: "collect",
    });
  return await serveLines({
    ...handlers,
    registerChannel: (
      { node, name, tokenRoots, requireToken, isReliable, priority }:
        ChannelOperations["registerChannel"][0],
    ) => {
      const roots = tokenRoots?.map(toBuffer);
      const reliable = isReliable;
      nodeOf(node).registerChannel({ name, tokenRoots: roots, requireToken, reliable, priority });
      return null;
    },
    subscribe: ({ node, publisher, name, token }: ChannelOperations["subscribe"][0]) =>
      outcome(async () => {
        const bytes = token === undefined ? undefined : toBuffer(token);
        await nodeOf(node).subscribeChannel(publisher, name, bytes);
        return true;
      }),
    unsubscribe: ({ node, publisher, name }: ChannelOperations["unsubscribe"][0]) =>
      outcome(async () => {
        await nodeOf(node).unsubscribeChannel(publisher, name);
        return true;
      }),
    publish: (args: ChannelOperations["publish"][0]) => outcome(() => publish(args)),
    publishMany: async ({ count, ...args }: ChannelOperations["publishMany"][0]) => {
      const startMs = performance.now();
      let delivered = 0;
      let failed = 0;
      for (let i = 0; i < count; i++) {
        const report = await publish(args);
        delivered += report.delivered;
        failed += report.errors.length;
      }
      return { seconds: (performance.now() - startMs) / 1000, delivered, failed };
    },
    findNodes: ({ node, tag }: ChannelOperations["findNodes"][0]) =>
      nodeOf(node).findNodes({ requireTags: [tag] }),
  });
}

if (import.meta.main) await main();
