/**
 * A process with one node of ours that serves calls which never end, and makes some, so that a test can see what
 * its death does to others. Its client is `lost_peers_test.ts`.
 */
import { pause } from "../../src/base/mod.ts";
import { type CallingNode, startCallNode } from "./call_node.ts";
import { serveLines } from "./serve_lines.ts";

/** What is needed to connect to a node. */
export interface OwnNodeInfo {
  readonly nodeId: bigint;
  /** `ip:port`. */
  readonly address: string;
  readonly publicKey: Uint8Array;
}

/** Operations of this process. */
export interface OwnCallOperations {
  start: [Record<never, never>, OwnNodeInfo];
  connect: [OwnNodeInfo, null];
  /** Serves `hold`, `tick`, `take` and `both`, one of each shape. */
  serve: [Record<never, never>, null];
  /** Calls all of them at a node, and leaves them running. */
  call: [{ peer: bigint }, null];
  /** Stops the node as a program does that ends; the process goes on. */
  stop: [Record<never, never>, null];
}

/** Serves one endless call of each shape. */
export function serveEndless(node: CallingNode, onEnd: (shape: string) => void = () => {}): void {
  const { rpc } = node;
  const untilAborted = (signal: AbortSignal, shape: string) =>
    new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => {
        onEnd(shape);
        resolve();
      });
    });
  rpc.serve("hold", async (body, { signal }) => {
    await untilAborted(signal, "hold");
    return body;
  });
  rpc.serveStream("tick", async function* (body, { signal }) {
    void untilAborted(signal, "tick");
    while (!signal.aborted) {
      yield body;
      await pause(2);
    }
  });
  rpc.serveClientStream("take", async (items, { signal }) => {
    void untilAborted(signal, "take");
    for await (const _ of items);
    return new Uint8Array(0);
  });
  rpc.serveDuplex("both", async function* (items, { signal }) {
    void untilAborted(signal, "both");
    for await (const item of items) yield item;
  });
}

/** Makes one endless call of each shape; each settles when it ends. */
export async function callEndless(node: CallingNode, target: bigint): Promise<Promise<unknown>[]> {
  const { client } = node.rpc;
  const body = new Uint8Array(8);
  const hold = client.call(target, "hold", body, { timeoutMs: 60_000 });
  hold.catch(() => {});
  const tick = await client.callStream(target, "tick", body);
  const take = await client.callClientStream(target, "take");
  const both = await client.callDuplex(target, "both");
  await tick.read();
  await take.send(body);
  await both.requests.send(body);
  await both.responses.read();
  const drained = (async () => {
    for await (const _ of tick);
  })();
  // The upload stays open: it is asked for its answer without an end of its items.
  const uploading = (async () => {
    for (;;) {
      await take.send(body);
      await pause(2);
    }
  })();
  const reading = both.responses.read();
  const calls = [hold, drained, uploading, reading];
  for (const call of calls) call.catch(() => {});
  return calls;
}

async function main(): Promise<never> {
  let node: CallingNode | undefined;
  const started = (): CallingNode => {
    if (node === undefined) throw new Error("The node has not started");
    return node;
  };
  return await serveLines({
    start: async () => {
      node = await startCallNode();
      return infoOf(node);
    },
    connect: async (info: OwnNodeInfo) => {
      await started().connect({ ...info, node: 0, entityId: new Uint8Array(32) });
      return null;
    },
    serve: () => {
      serveEndless(started());
      return null;
    },
    call: async ({ peer }: OwnCallOperations["call"][0]) => {
      await callEndless(started(), peer);
      return null;
    },
    stop: async () => {
      await started()[Symbol.asyncDispose]();
      return null;
    },
  });
}

/** What others need to connect to a node of this process. */
export function infoOf(node: CallingNode): OwnNodeInfo {
  const { localAddress } = node.capable.mesh.transport;
  return {
    nodeId: node.nodeId,
    address: `127.0.0.1:${localAddress.port}`,
    publicKey: node.keys.noise.publicKey,
  };
}

if (import.meta.main) await main();
