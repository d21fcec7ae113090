/**
 * Whole nodes of ours with channels in a process of their own, told what to do by JSON lines: the
 * counterpart of `test/interop/channel_peer_process.ts` for `bench/channel.ts`.
 */
import { createChannelConfig } from "../src/channel/mod.ts";
import type { ChannelSubscription } from "../src/services/mod.ts";
import { type ChannelingNode, startChannelNode } from "../test/interop/channel_node.ts";
import { eventually } from "../test/interop/mesh_node.ts";
import { serveLines } from "../test/interop/serve_lines.ts";

/** What is needed to dial a node on this machine. */
export interface ChannelNodeInfo {
  readonly nodeId: bigint;
  readonly port: number;
  readonly publicKey: Uint8Array;
}

/** Every operation: its arguments and its result. */
export interface ChannelProcessOperations {
  start: [{ count: number }, ChannelNodeInfo[]];
  /** Each node dials the one given. */
  connect: [ChannelNodeInfo, null];
  /** The first node runs a channel. */
  create: [{ name: string; isReliable: boolean }, null];
  /** Each node subscribes, and forgets what it counted. */
  subscribe: [{ name: string; publisher: bigint }, null];
  /** The first node publishes the same event again and again. */
  publishMany: [
    { name: string; eventBytes: number; count: number; perCall: number },
    { seconds: number; delivered: number; failed: number },
  ];
  /** Waits for so many events in all; they are timed from the first to the last. */
  receive: [{ count: number; timeoutMs: number }, { events: number; seconds: number }];
}

type Handlers = {
  [Name in keyof ChannelProcessOperations]: (
    args: ChannelProcessOperations[Name][0],
  ) => Promise<ChannelProcessOperations[Name][1]>;
};

function createHandlers(): Handlers {
  const nodes: ChannelingNode[] = [];
  const subscriptions: ChannelSubscription[] = [];
  let events = 0;
  let firstMs = 0;
  let lastMs = 0;
  const first = (): ChannelingNode => {
    const [node] = nodes;
    if (node === undefined) throw new Error("No node has started");
    return node;
  };
  const read = async (subscription: ChannelSubscription) => {
    const { queue } = subscription;
    while (!queue.isClosed) {
      for (let event = queue.take(); event !== undefined; event = queue.take()) {
        if (events === 0) firstMs = performance.now();
        events += 1;
        lastMs = performance.now();
      }
      await queue.ready();
    }
  };
  return {
    start: async ({ count }) => {
      for (let i = 0; i < count; i++) nodes.push(await startChannelNode());
      return nodes.map(({ nodeId, keys, capable }) => ({
        nodeId,
        port: capable.mesh.transport.localAddress.port,
        publicKey: keys.noise.publicKey,
      }));
    },
    connect: async ({ nodeId, port, publicKey }) => {
      const address = `127.0.0.1:${port}`;
      for (const node of nodes) {
        await node.connect({ node: 0, nodeId, address, publicKey, entityId: new Uint8Array(32) });
      }
      return null;
    },
    create: async ({ name, isReliable }) => {
      await first().channels.create(createChannelConfig(name, { isReliable }));
      return null;
    },
    subscribe: async ({ name, publisher }) => {
      for (const subscription of subscriptions.splice(0)) subscription.close();
      events = 0;
      let active = 0;
      for (const { channels } of nodes) {
        const subscription = channels.subscribe(name, { from: [publisher] });
        subscription.onStatus.on(({ state }) => active += state === "active" ? 1 : 0);
        subscriptions.push(subscription);
        void read(subscription);
      }
      await eventually("all are subscribed", () => active === nodes.length);
      return null;
    },
    publishMany: async ({ name, eventBytes, count, perCall }) => {
      const { channels } = first();
      const batch = Array.from({ length: perCall }, () => new Uint8Array(eventBytes));
      const startMs = performance.now();
      let delivered = 0;
      let failed = 0;
      for (let sent = 0; sent < count; sent += perCall) {
        const report = await channels.publish(name, batch, { onFailure: "collect" });
        delivered += report.delivered;
        failed += report.errors.length;
      }
      return { seconds: (performance.now() - startMs) / 1000, delivered, failed };
    },
    receive: async ({ count, timeoutMs }) => {
      const deadlineMs = performance.now() + timeoutMs;
      while (events < count && performance.now() < deadlineMs) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      return { events, seconds: (lastMs - firstMs) / 1000 };
    },
  };
}

if (import.meta.main) await serveLines(createHandlers());
