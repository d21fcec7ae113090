/**
 * A process with a group of the Rust core, whose load balancer answers for us to compare with. The core
 * spreads the members of a group over nodes, so there are as many nodes here as members.
 *
 * Run with `deno run -A test/interop/balancer_peer_process.ts`; its client is `balancer_peer.ts`.
 */
import { createRequire } from "node:module";
import type { Buffer } from "node:buffer";
import { RUST_PACKAGE, type RustAddon, type RustMesh, toBuffer } from "./rust_addon.ts";
import type { BalancerOperations, GroupStrategy } from "./balancer_peer.ts";
import { serveLines } from "./serve_lines.ts";

/** A group, as far as it is used here. */
interface RustGroup {
  readonly replicas: readonly { readonly originHash: bigint; readonly entityId: Buffer }[];
  routeEvent(context: { readonly routingKey?: string }): bigint;
}

interface RustRuntime {
  start(): Promise<void>;
  registerFactory(kind: string, create: () => object): Promise<void>;
  spawnReplicaGroup(
    kind: string,
    options: {
      readonly replicaCount: number;
      readonly groupSeed: Buffer;
      readonly lbStrategy: GroupStrategy;
    },
  ): Promise<RustGroup>;
}

type GroupAddon = RustAddon & {
  readonly DaemonRuntime: { create(mesh: RustMesh): Promise<RustRuntime> };
};

const PSK = "31".repeat(32);
/** Nodes hear of each other's capabilities within this time. */
const SPREAD_MS = 5_000;
const KIND = "echo";

const addon = createRequire(import.meta.url)(RUST_PACKAGE) as GroupAddon;
const groups: RustGroup[] = [];
let runtime: Promise<RustRuntime> | undefined;

async function startRuntime(members: number): Promise<RustRuntime> {
  const create = () => addon.NetMesh.create({ bindAddr: "127.0.0.1:0", psk: PSK });
  const hub = await create();
  await hub.start();
  const nodes = [hub];
  while (nodes.length < members) {
    const node = await create();
    const accepted = node.accept(hub.nodeId());
    await hub.connect(node.localAddr(), node.publicKey(), node.nodeId());
    await accepted;
    await node.start();
    nodes.push(node);
  }
  for (const node of nodes) await node.announceCapabilities({ tags: ["member"] });
  const created = await addon.DaemonRuntime.create(hub);
  await created.start();
  await created.registerFactory(KIND, () => ({ name: KIND, process: () => [] }));
  return created;
}

async function spawn(args: BalancerOperations["spawn"][0]) {
  const { members, seed, strategy } = args;
  runtime ??= startRuntime(members);
  const started = await runtime;
  const options = { replicaCount: members, groupSeed: toBuffer(seed), lbStrategy: strategy };
  const deadlineMs = performance.now() + SPREAD_MS;
  for (;;) {
    try {
      const group = await started.spawnReplicaGroup(KIND, options);
      return {
        group: groups.push(group) - 1,
        members: group.replicas.map(({ originHash, entityId }) => ({
          originHash,
          entityId: new Uint8Array(entityId),
        })),
      };
    } catch (error) {
      // Not every node's capabilities are known yet.
      if (performance.now() > deadlineMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function groupOf(handle: number): RustGroup {
  const group = groups[handle];
  if (group === undefined) throw new RangeError(`No group has the handle ${handle}`);
  return group;
}

if (import.meta.main) {
  await serveLines({
    spawn,
    route: ({ group, keys }: BalancerOperations["route"][0]) =>
      keys.map((routingKey) => groupOf(group).routeEvent({ routingKey })),
    time: ({ group, count, key }: BalancerOperations["time"][0]) => {
      const found = groupOf(group);
      const context = key === undefined ? {} : { routingKey: key };
      const start = performance.now();
      for (let i = 0; i < count; i++) found.routeEvent(context);
      return (performance.now() - start) * 1e6 / count;
    },
  });
}
