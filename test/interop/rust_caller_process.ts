/**
 * A Rust peer process whose nodes call services of ours in all four shapes; everything else is
 * `rust_peer_process.ts`.
 *
 * Run with `deno run -A test/interop/rust_caller_process.ts`; its client is `rust_rpc_serves_test.ts`. Failures are
 * results here, with the text that the addon gives them: `nrpc:server_error: status=0x…. message=…` and so on.
 */
import type { Buffer } from "node:buffer";
import { loadRustAddon, type RustMesh, toBuffer } from "./rust_addon.ts";
import { createHandlers } from "./rust_peer_process.ts";
import type { RustOperations } from "./rust_protocol.ts";
import { serveLines } from "./serve_lines.ts";

/** What every call takes. */
export interface CallFacts {
  readonly node: number;
  readonly peer: bigint;
  readonly service: string;
  readonly deadlineMs?: number;
}

/** How a call ended: what came, and the text of its failure if it failed. */
export interface CallEnd {
  readonly items: readonly Uint8Array[];
  readonly error?: string;
}

/** Operations of this process. */
export interface CallerOperations extends RustOperations {
  unary: [CallFacts & { body: Uint8Array; cancelAfterMs?: number }, CallEnd];
  /** Reads until the end, or closes the stream after `itemsMax`. */
  download: [CallFacts & { body: Uint8Array; window?: number; itemsMax?: number }, CallEnd];
  /** Sends the items and finishes; with `isClosed` it closes the call where it would finish. */
  upload: [
    CallFacts & { items: readonly Uint8Array[]; window?: number; isClosed?: boolean },
    CallEnd,
  ];
  /** Sends the items turn by turn, each followed by reading one, then finishes and reads the rest. */
  both: [
    CallFacts & { items: readonly Uint8Array[]; window?: number; isClosed?: boolean },
    CallEnd,
  ];
}

interface Source {
  next(): Promise<Buffer | null>;
  close(): void;
}

interface Upload {
  send(body: Buffer): Promise<void>;
  close(): void;
}

interface CallingRpc {
  call(peer: bigint, service: string, body: Buffer, options: object): Promise<Buffer>;
  callStreaming(peer: bigint, service: string, body: Buffer, options: object): Promise<Source>;
  callClientStream(
    peer: bigint,
    service: string,
    options: object,
  ): Promise<Upload & { finish(): Promise<Buffer> }>;
  callDuplex(
    peer: bigint,
    service: string,
    options: object,
  ): Promise<Source & Upload & { finishSending(): Promise<void> }>;
  reserveCancelToken(): bigint;
  cancelCall(token: bigint): void;
}

/** Runs a call; what it throws is part of how it ended. */
async function ending(run: (take: (item: Buffer) => void) => Promise<void>): Promise<CallEnd> {
  const items: Uint8Array[] = [];
  try {
    await run((item) => items.push(new Uint8Array(item)));
    return { items };
  } catch (error) {
    return { items, error: error instanceof Error ? error.message : String(error) };
  }
}

async function main(): Promise<never> {
  const addon = loadRustAddon();
  const nodes: RustMesh[] = [];
  const made = new Map<number, CallingRpc>();
  const rpcOf = (node: number) => {
    const rpc = made.get(node) ??
      addon.MeshRpc.fromMesh(nodes[node] as RustMesh) as unknown as CallingRpc;
    made.set(node, rpc);
    return rpc;
  };

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
    unary: (
      { node, peer, service, body, deadlineMs, cancelAfterMs }: CallerOperations["unary"][0],
    ) =>
      ending(async (take) => {
        const rpc = rpcOf(node);
        const cancelToken = cancelAfterMs === undefined ? undefined : rpc.reserveCancelToken();
        if (cancelToken !== undefined) setTimeout(() => rpc.cancelCall(cancelToken), cancelAfterMs);
        take(await rpc.call(peer, service, toBuffer(body), { deadlineMs, cancelToken }));
      }),
    download: (
      { node, peer, service, body, deadlineMs, window, itemsMax = Infinity }:
        CallerOperations["download"][0],
    ) =>
      ending(async (take) => {
        const options = { deadlineMs, streamWindowInitial: window };
        const stream = await rpcOf(node).callStreaming(peer, service, toBuffer(body), options);
        for (let count = 0; count < itemsMax; count++) {
          const item = await stream.next();
          if (item === null) return;
          take(item);
        }
        stream.close();
      }),
    upload: (
      { node, peer, service, items, deadlineMs, window, isClosed }: CallerOperations["upload"][0],
    ) =>
      ending(async (take) => {
        const options = { deadlineMs, requestWindowInitial: window };
        const call = await rpcOf(node).callClientStream(peer, service, options);
        for (const item of items) await call.send(toBuffer(item));
        if (isClosed === true) call.close();
        else take(await call.finish());
      }),
    both: (
      { node, peer, service, items, deadlineMs, window, isClosed }: CallerOperations["both"][0],
    ) =>
      ending(async (take) => {
        const options = { deadlineMs, requestWindowInitial: window };
        const call = await rpcOf(node).callDuplex(peer, service, options);
        for (const item of items) {
          await call.send(toBuffer(item));
          const answer = await call.next();
          if (answer === null) return;
          take(answer);
        }
        if (isClosed === true) return call.close();
        await call.finishSending();
        for (let item = await call.next(); item !== null; item = await call.next()) take(item);
      }),
  });
}

if (import.meta.main) await main();
