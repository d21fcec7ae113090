/**
 * A Rust peer process that calls services of others in all four shapes; everything else is `rust_peer_process.ts`.
 *
 * Run with `deno run -A test/interop/rust_caller_process.ts`; its client is `rust_rpc_serves_test.ts`. Names of
 * options were found by calling release 0.36.0.
 */
import type { Buffer } from "node:buffer";
import { pause } from "../../src/base/mod.ts";
import { loadRustAddon, type RustMesh, toBuffer } from "./rust_addon.ts";
import { createHandlers } from "./rust_peer_process.ts";
import type { RustOperations } from "./rust_protocol.ts";
import { serveLines } from "./serve_lines.ts";

/** Whom a call goes to, and how. */
export interface RustCallFacts {
  readonly node: number;
  readonly peer: bigint;
  readonly service: string;
  readonly deadlineMs?: number;
  /** Cancels by a token when so much time has passed. */
  readonly cancelAfterMs?: number;
  /** Items of the answer that may come before more are granted. */
  readonly streamWindow?: number;
  /** Items of the request that leave before more are granted. */
  readonly requestWindow?: number;
}

/** How a call ended: with what it was answered, and the error's text or null. */
export interface RustCallEnd {
  readonly items: readonly Uint8Array[];
  readonly error: string | null;
}

/** Operations of this process. */
export interface RustCallerOperations extends RustOperations {
  unary: [RustCallFacts & { body: Uint8Array }, RustCallEnd];
  /** So many unary calls at once. */
  manyUnary: [RustCallFacts & { body: Uint8Array; count: number }, RustCallEnd[]];
  /** Reads `take` items, then closes the stream; all when left out. */
  download: [RustCallFacts & { body: Uint8Array; take?: number }, RustCallEnd];
  /** Sends the items; `isLeft` closes the call in place of asking for the answer. */
  upload: [RustCallFacts & { items: readonly Uint8Array[]; isLeft?: boolean }, RustCallEnd];
  /** Sends each item and reads one back, then ends its own half and reads the rest. */
  duplex: [RustCallFacts & { items: readonly Uint8Array[]; isLeft?: boolean }, RustCallEnd];
}

interface Responses {
  next(): Promise<Buffer | null>;
  close(): unknown;
}

interface Upload {
  send(body: Buffer): Promise<void>;
  finish(): Promise<Buffer>;
  close(): unknown;
}

interface Duplex extends Responses {
  send(body: Buffer): Promise<void>;
  finishSending(): Promise<void>;
}

interface CallingRpc {
  reserveCancelToken(): bigint;
  cancelCall(token: bigint): void;
  call(peer: bigint, service: string, body: Buffer, options: object): Promise<Buffer>;
  callStreaming(peer: bigint, service: string, body: Buffer, options: object): Promise<Responses>;
  callClientStream(peer: bigint, service: string, options: object): Promise<Upload>;
  callDuplex(peer: bigint, service: string, options: object): Promise<Duplex>;
}

async function main(): Promise<never> {
  const addon = loadRustAddon();
  const nodes: RustMesh[] = [];
  const rpcs = new Map<number, CallingRpc>();
  const rpcOf = (node: number): CallingRpc => {
    const rpc = rpcs.get(node) ??
      addon.MeshRpc.fromMesh(nodes[node] as RustMesh) as unknown as CallingRpc;
    rpcs.set(node, rpc);
    return rpc;
  };
  const optionsOf = (facts: RustCallFacts): object => {
    const { deadlineMs, streamWindow, requestWindow, cancelAfterMs } = facts;
    const rpc = rpcOf(facts.node);
    const cancelToken = cancelAfterMs === undefined ? undefined : rpc.reserveCancelToken();
    if (cancelToken !== undefined) setTimeout(() => rpc.cancelCall(cancelToken), cancelAfterMs);
    return {
      deadlineMs,
      cancelToken,
      streamWindowInitial: streamWindow,
      requestWindowInitial: requestWindow,
    };
  };
  const drain = async (responses: Responses, items: Uint8Array[], take = Infinity) => {
    while (items.length < take) {
      const item = await responses.next();
      if (item === null) return;
      items.push(new Uint8Array(item));
    }
  };
  const unary = (facts: RustCallerOperations["unary"][0]) =>
    ended(async (items) => {
      const { node, peer, service, body } = facts;
      const answer = await rpcOf(node).call(peer, service, toBuffer(body), optionsOf(facts));
      items.push(new Uint8Array(answer));
    });

  return await serveLines({
    ...createHandlers({
      ...addon,
      NetMesh: {
        create: async (options) => {
          const node = await addon.NetMesh.create(options);
          nodes.push(node);
          return node;
        },
      },
    }),
    unary,
    manyUnary: (facts: RustCallerOperations["manyUnary"][0]) =>
      Promise.all(Array.from({ length: facts.count }, () => unary(facts))),
    download: (facts: RustCallerOperations["download"][0]) =>
      ended(async (items) => {
        const { node, peer, service, body, take } = facts;
        const rpc = rpcOf(node);
        const stream = await rpc.callStreaming(peer, service, toBuffer(body), optionsOf(facts));
        await drain(stream, items, take);
        if (take !== undefined) stream.close();
      }),
    upload: (facts: RustCallerOperations["upload"][0]) =>
      ended(async (items) => {
        const { node, peer, service, isLeft } = facts;
        const call = await rpcOf(node).callClientStream(peer, service, optionsOf(facts));
        for (const item of facts.items) await call.send(toBuffer(item));
        if (isLeft) call.close();
        else items.push(new Uint8Array(await call.finish()));
      }),
    duplex: (facts: RustCallerOperations["duplex"][0]) =>
      ended(async (items) => {
        const { node, peer, service, isLeft } = facts;
        const call = await rpcOf(node).callDuplex(peer, service, optionsOf(facts));
        for (const item of facts.items) {
          await call.send(toBuffer(item));
          await drain(call, items, items.length + 1);
        }
        if (isLeft) return void call.close();
        await call.finishSending();
        await drain(call, items);
      }),
  });
}

async function ended(run: (items: Uint8Array[]) => Promise<void>): Promise<RustCallEnd> {
  const items: Uint8Array[] = [];
  try {
    await run(items);
    // What was sent before the program closed a call leaves with the next turn of the core.
    await pause(1);
    return { items, error: null };
  } catch (error) {
    return { items, error: error instanceof Error ? error.message : String(error) };
  }
}

if (import.meta.main) await main();
