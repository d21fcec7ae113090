/**
 * One node of the Rust core in a process of its own, as caller or server of nRPC, told what to do by JSON lines:
 * the rival's side of `bench/rpc.ts`.
 */
import type { Buffer } from "node:buffer";
import process from "node:process";
import { pause } from "../src/base/mod.ts";
import { loadRustAddon, type RustMesh, toBuffer } from "../test/interop/rust_addon.ts";
import { serveLines } from "../test/interop/serve_lines.ts";
import {
  type CallFigures,
  type CallLoad,
  type ItemFigures,
  itemFigures,
  type ItemLoad,
  measureCalls,
} from "./_call_load.ts";

/** What is needed to connect to a node. */
export interface RustRpcInfo {
  readonly nodeId: bigint;
  readonly address: string;
  readonly publicKey: string;
}

/** Every operation: its arguments and its result. */
export interface RustRpcOperations {
  create: [{ psk: string }, RustRpcInfo];
  accept: [{ peer: bigint }, null];
  connect: [RustRpcInfo, null];
  start: [Record<never, never>, null];
  serve: [Record<never, never>, null];
  calls: [CallLoad & { peer: bigint }, CallFigures];
  serverStream: [ItemLoad & { peer: bigint }, ItemFigures];
  clientStream: [ItemLoad & { peer: bigint }, ItemFigures];
  duplex: [ItemLoad & { peer: bigint }, ItemFigures];
  /** CPU seconds of the process so far. */
  cpuSeconds: [Record<never, never>, number];
}

/** Credit of uploads that suits the core here. */
const WINDOW_ITEMS = 512;
/** The core sometimes answers no more; a call is given up then. */
const DEADLINE_MS = 10_000;
/** So long without an item, and the core sends no more: after a lost one it never ends a stream. */
const SILENCE_MS = 1_500;
/**
 * Its response queue drops what it has no room for, and the handler is not told. This pace is the fastest at which
 * little or nothing is lost here; with a window it loses at any pace.
 */
const ITEMS_PER_PAUSE = 64;
const PAUSE_MS = 1;

interface Source {
  next(): Promise<Buffer | null>;
}

interface Sink {
  send(body: Buffer): boolean;
}

interface Rpc {
  serve(service: string, handler: (body: Buffer) => Promise<Buffer>): unknown;
  serveStreaming(service: string, handler: (args: [Buffer, Sink]) => Promise<Buffer>): unknown;
  serveClientStream(service: string, handler: (source: Source) => Promise<Buffer>): unknown;
  serveDuplex(service: string, handler: (args: [Source, Sink]) => Promise<Buffer>): unknown;
  call(peer: bigint, service: string, body: Buffer, options: object): Promise<Buffer>;
  callStreaming(peer: bigint, service: string, body: Buffer, options: object): Promise<Source>;
  callClientStream(peer: bigint, service: string, options: object): Promise<
    { send(body: Buffer): Promise<void>; finish(): Promise<Buffer> }
  >;
  callDuplex(peer: bigint, service: string, options: object): Promise<
    Source & { send(body: Buffer): Promise<void>; finishSending(): Promise<void> }
  >;
}

type Handlers = {
  [Name in keyof RustRpcOperations]: (
    args: RustRpcOperations[Name][0],
  ) => RustRpcOperations[Name][1] | Promise<RustRpcOperations[Name][1]>;
};

function createHandlers(): Handlers {
  const addon = loadRustAddon();
  let node: RustMesh | undefined;
  let rpc: Rpc | undefined;
  // A handle keeps serving for as long as it lives.
  const handles: unknown[] = [];
  const nodeOf = (): RustMesh => {
    if (node === undefined) throw new Error("The node was not created");
    return node;
  };
  const rpcOf = (): Rpc => rpc ??= addon.MeshRpc.fromMesh(nodeOf()) as unknown as Rpc;
  return {
    create: async ({ psk }) => {
      node = await addon.NetMesh.create({ bindAddr: "127.0.0.1:0", psk });
      return {
        nodeId: node.nodeId(),
        address: node.localAddr(),
        publicKey: node.publicKey(),
      };
    },
    accept: async ({ peer }) => {
      await nodeOf().accept(peer);
      return null;
    },
    connect: async ({ address, publicKey, nodeId }) => {
      await nodeOf().connect(address, publicKey, nodeId);
      return null;
    },
    start: async () => {
      await nodeOf().start();
      return null;
    },
    serve: () => {
      const served = rpcOf();
      handles.push(
        served.serve("echo", (body) => Promise.resolve(body)),
        served.serveStreaming("count", sendItems),
        served.serveClientStream("drain", countItems),
        served.serveDuplex("mirror", mirrorItems),
      );
      return null;
    },
    calls: (load) => {
      const caller = rpcOf();
      const body = bodyOf(load.bodyBytes);
      return measureCalls(
        () => caller.call(load.peer, "echo", body, { deadlineMs: DEADLINE_MS }),
        load,
      );
    },
    serverStream: (load) => receiveItems(rpcOf(), load),
    clientStream: (load) => uploadItems(rpcOf(), load),
    duplex: (load) => bounceItems(rpcOf(), load),
    cpuSeconds: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  };
}

/** Body: how many items, and of what size. */
async function sendItems([body, sink]: [Buffer, Sink]): Promise<Buffer> {
  const count = body.readUInt32LE(0);
  const item = bodyOf(body.readUInt32LE(4));
  for (let sent = 1; sent <= count; sent++) {
    sink.send(item);
    if (sent % ITEMS_PER_PAUSE === 0) await pause(PAUSE_MS);
  }
  return bodyOf(0);
}

async function countItems(source: Source): Promise<Buffer> {
  let count = 0;
  while (await source.next() !== null) count += 1;
  const answer = bodyOf(4);
  answer.writeUInt32LE(count, 0);
  return answer;
}

async function mirrorItems([source, sink]: [Source, Sink]): Promise<Buffer> {
  for (let item = await source.next(); item !== null; item = await source.next()) sink.send(item);
  return bodyOf(0);
}

async function receiveItems(
  rpc: Rpc,
  { peer, count, bodyBytes }: RustRpcOperations["serverStream"][0],
): Promise<ItemFigures> {
  const request = bodyOf(8);
  request.writeUInt32LE(count, 0);
  request.writeUInt32LE(bodyBytes, 4);
  const startMs = performance.now();
  const stream = await rpc.callStreaming(peer, "count", request, { deadlineMs: DEADLINE_MS });
  let items = 0;
  let seen = -1;
  let lastMs = startMs;
  const { promise: silence, resolve } = Promise.withResolvers<null>();
  const timer = setInterval(() => {
    if (items === seen) resolve(null);
    seen = items;
  }, SILENCE_MS);
  while (await Promise.race([stream.next(), silence]) !== null) {
    items += 1;
    lastMs = performance.now();
  }
  clearInterval(timer);
  // What is lost costs it no time: its rate is that of the items that came.
  return { perSecond: items / ((lastMs - startMs) / 1000), lost: count - items };
}

async function uploadItems(
  rpc: Rpc,
  { peer, count, bodyBytes }: RustRpcOperations["clientStream"][0],
): Promise<ItemFigures> {
  const item = bodyOf(bodyBytes);
  const startMs = performance.now();
  const call = await rpc.callClientStream(peer, "drain", {
    deadlineMs: DEADLINE_MS,
    requestWindowInitial: WINDOW_ITEMS,
  });
  for (let sent = 0; sent < count; sent++) await call.send(item);
  return itemFigures((await call.finish()).readUInt32LE(0), count, startMs);
}

async function bounceItems(
  rpc: Rpc,
  { peer, count, bodyBytes }: RustRpcOperations["duplex"][0],
): Promise<ItemFigures> {
  const item = bodyOf(bodyBytes);
  const call = await rpc.callDuplex(peer, "mirror", { deadlineMs: DEADLINE_MS });
  const startMs = performance.now();
  let items = 0;
  for (; items < count; items++) {
    await call.send(item);
    if (await call.next() === null) break;
  }
  const result = itemFigures(items, count, startMs);
  await call.finishSending();
  return result;
}

function bodyOf(length: number): Buffer {
  return toBuffer(new Uint8Array(length));
}

if (import.meta.main) await serveLines(createHandlers());
