/**
 * One node of ours in a process of its own, as caller or server of nRPC, told what to do by JSON lines: our side of
 * `bench/rpc.ts`.
 */
import process from "node:process";
import { type CallingNode, startCallNode } from "../test/interop/call_node.ts";
import { serveLines } from "../test/interop/serve_lines.ts";
import {
  type CallFigures,
  type CallLoad,
  type ItemFigures,
  type ItemLoad,
  measureCalls,
} from "./_call_load.ts";
import {
  bounceItems,
  type CancelTimes,
  measureCancels,
  receiveItems,
  serveBenchmarks,
  uploadItems,
} from "./_rpc_shapes.ts";

/** What is needed to connect to a node. */
export interface RpcInfo {
  readonly nodeId: bigint;
  readonly port: number;
  readonly publicKey: Uint8Array;
}

/** Every operation: its arguments and its result. */
export interface RpcOperations {
  start: [{ pollMicroseconds?: number }, RpcInfo];
  connect: [RpcInfo, null];
  serve: [Record<never, never>, null];
  /** `echo` gives the body back, `drop` gives nothing back. */
  calls: [CallLoad & { peer: bigint; service?: "echo" | "drop" }, CallFigures];
  serverStream: [ItemLoad & { peer: bigint }, ItemFigures];
  clientStream: [ItemLoad & { peer: bigint }, ItemFigures];
  duplex: [ItemLoad & { peer: bigint }, ItemFigures];
  cancels: [{ peer: bigint; count: number }, CancelTimes];
  /** CPU seconds of the process so far. */
  cpuSeconds: [Record<never, never>, number];
  counters: [Record<never, never>, Record<string, number>];
}

type Handlers = {
  [Name in keyof RpcOperations]: (
    args: RpcOperations[Name][0],
  ) => RpcOperations[Name][1] | Promise<RpcOperations[Name][1]>;
};

function createHandlers(): Handlers {
  let node: CallingNode | undefined;
  const started = (): CallingNode => {
    if (node === undefined) throw new Error("The node has not started");
    return node;
  };
  return {
    start: async (options) => {
      node = await startCallNode(options);
      return {
        nodeId: node.nodeId,
        port: node.capable.mesh.transport.localAddress.port,
        publicKey: node.keys.noise.publicKey,
      };
    },
    connect: async ({ nodeId, port, publicKey }) => {
      const address = `127.0.0.1:${port}`;
      const entityId = new Uint8Array(32);
      await started().connect({ node: 0, nodeId, address, publicKey, entityId });
      return null;
    },
    serve: () => {
      serveBenchmarks(started().rpc);
      return null;
    },
    calls: (load) => {
      const { rpc } = started();
      const { peer: target, service = "echo" } = load;
      const options = { target };
      const body = new Uint8Array(load.bodyBytes).fill(1);
      return measureCalls(() => rpc.call(service, body, options), load);
    },
    serverStream: ({ peer, ...load }) => receiveItems(started().rpc, peer, load),
    clientStream: ({ peer, ...load }) => uploadItems(started().rpc, peer, load),
    duplex: ({ peer, ...load }) => bounceItems(started().rpc, peer, load),
    cancels: ({ peer, count }) => measureCancels(started().rpc, peer, count),
    cpuSeconds: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
    counters: () => {
      const counters = started().counters();
      return Object.fromEntries(Object.entries(counters).filter(([, value]) => value !== 0));
    },
  };
}

if (import.meta.main) await serveLines(createHandlers());
