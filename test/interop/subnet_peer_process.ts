/**
 * A Rust peer process whose nodes lie in subnets and run channels; everything else is
 * `rust_peer_process.ts`.
 *
 * Run with `deno run -A test/interop/subnet_peer_process.ts`; its client is in `rust_subnet_test.ts`.
 */
import { loadRustAddon, type RustMesh, type RustMeshOptions } from "./rust_addon.ts";
import { createHandlers } from "./rust_peer_process.ts";
import type { RustNodeInfo, RustNodeOptions, RustOperations } from "./rust_protocol.ts";
import { serveLines } from "./serve_lines.ts";

/** One level of a subnet by tags, as the core takes it. */
export interface RustSubnetRule {
  readonly tagPrefix: string;
  readonly level: number;
  readonly values: Readonly<Record<string, number>>;
}

/** Operations of this process. */
export interface SubnetOperations extends RustOperations {
  /** A node in a subnet, global without levels. */
  createInSubnet: [
    RustNodeOptions & {
      readonly levels: readonly number[];
      readonly rules: readonly RustSubnetRule[];
    },
    RustNodeInfo,
  ];
  registerChannel: [{ node: number; name: string; visibility: string }, null];
  /** True, or the core's error. */
  subscribe: [{ node: number; publisher: bigint; name: string }, true | string];
  findNodes: [{ node: number; tag: string }, bigint[]];
}

interface ChannelMesh extends RustMesh {
  registerChannel(options: { readonly name: string; readonly visibility: string }): void;
  subscribeChannel(publisher: bigint, name: string): Promise<void>;
  findNodes(filter: { readonly requireTags: readonly string[] }): bigint[];
}

async function main(): Promise<never> {
  const addon = loadRustAddon();
  const nodes: ChannelMesh[] = [];
  let more: object = {};
  const handlers = createHandlers({
    ...addon,
    NetMesh: {
      create: async (options: RustMeshOptions) => {
        const node = await addon.NetMesh.create({ ...options, ...more }) as ChannelMesh;
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
  return await serveLines({
    ...handlers,
    createInSubnet: async (
      { levels, rules, ...options }: SubnetOperations["createInSubnet"][0],
    ) => {
      more = {
        ...(levels.length === 0 ? {} : { subnet: { levels } }),
        subnetPolicy: { rules },
      };
      return await handlers.create(options);
    },
    registerChannel: ({ node, ...options }: SubnetOperations["registerChannel"][0]) => {
      nodeOf(node).registerChannel(options);
      return null;
    },
    subscribe: async ({ node, publisher, name }: SubnetOperations["subscribe"][0]) => {
      try {
        await nodeOf(node).subscribeChannel(publisher, name);
        return true;
      } catch (error) {
        return String((error as Error)?.message ?? error);
      }
    },
    findNodes: ({ node, tag }: SubnetOperations["findNodes"][0]) =>
      nodeOf(node).findNodes({ requireTags: [tag] }),
  });
}

if (import.meta.main) await main();
