/**
 * A Rust peer process whose nodes serve calls in all four shapes, and keep what their handlers saw; everything
 * else is `rust_peer_process.ts`.
 *
 * Run with `deno run -A test/interop/call_peer_process.ts`; its client is `rust_rpc_calls_test.ts`. What handlers
 * are given was found by calling release 0.36.0: a unary one the body alone, the others in one argument; a header
 * is a pair of name and value; a cancelled upload looks to its handler like one that ended, a cancelled
 * download goes on into nowhere.
 */
import { Buffer } from "node:buffer";
import { pause } from "../../src/base/mod.ts";
import { loadRustAddon, type RustMesh } from "./rust_addon.ts";
import { createHandlers } from "./rust_peer_process.ts";
import type { RustOperations } from "./rust_protocol.ts";
import { serveLines } from "./serve_lines.ts";

/** What a handler saw of an upload. */
export interface SeenUpload {
  readonly callId: bigint;
  readonly callerOrigin: bigint;
  /** Unix nanoseconds, 0 for none. */
  readonly deadlineNs: bigint;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  /** Items it was given before there were no more. */
  readonly items: number;
}

/** Operations of this process. */
export interface CallOperations extends RustOperations {
  /**
   * Serves `echo`, `slow` (milliseconds as the body), `fails` (with the body as the error's text), `count` (as
   * many items as the body says), `sum` (bytes of an upload) and `mirror`.
   */
  serveCalls: [{ node: number }, null];
  /** What `sum` and `mirror` saw since the last time, in order of their ends. */
  uploads: [Record<never, never>, SeenUpload[]];
  /** Items that `count` was let to send, of all its calls. */
  counted: [Record<never, never>, number];
}

interface Source {
  readonly callId: bigint;
  readonly callerOrigin: bigint;
  readonly deadlineNs: bigint;
  readonly headers: readonly (readonly [name: string, value: Buffer])[];
  next(): Promise<Buffer | null>;
}

interface Sink {
  send(body: Buffer): boolean;
}

interface ServingRpc {
  serve(service: string, handler: (body: Buffer) => Promise<Buffer>): unknown;
  serveStreaming(service: string, handler: (args: [Buffer, Sink]) => Promise<Buffer>): unknown;
  serveClientStream(service: string, handler: (source: Source) => Promise<Buffer>): unknown;
  serveDuplex(service: string, handler: (args: [Source, Sink]) => Promise<Buffer>): unknown;
}

async function main(): Promise<never> {
  const addon = loadRustAddon();
  const nodes: RustMesh[] = [];
  // A handle serves for as long as it lives.
  const handles: unknown[] = [];
  const uploads: SeenUpload[] = [];
  let counted = 0;

  const takeAll = async (source: Source, onItem: (item: Buffer) => void) => {
    let items = 0;
    for (let item = await source.next(); item !== null; item = await source.next()) {
      items += 1;
      onItem(item);
    }
    const { callId, callerOrigin, deadlineNs } = source;
    const headers = source.headers.map(([name, value]) => ({
      name,
      value: value.toString(),
    }));
    uploads.push({ callId, callerOrigin, deadlineNs, headers, items });
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
    serveCalls: ({ node }: CallOperations["serveCalls"][0]) => {
      const rpc = addon.MeshRpc.fromMesh(nodes[node] as RustMesh) as unknown as ServingRpc;
      handles.push(
        rpc,
        rpc.serve("echo", (body) => Promise.resolve(body)),
        rpc.serve("slow", async (body) => {
          await pause(body.readUInt32LE(0));
          return body;
        }),
        rpc.serve("fails", (body) => Promise.reject(new Error(body.toString()))),
        rpc.serveStreaming("count", async ([body, sink]) => {
          const items = body.readUInt32LE(0);
          for (let sent = 0; sent < items; sent++) {
            const item = Buffer.alloc(4);
            item.writeUInt32LE(sent, 0);
            if (!sink.send(item)) break;
            counted += 1;
            await pause(1);
          }
          return Buffer.alloc(0);
        }),
        rpc.serveClientStream("sum", async (source) => {
          let bytes = 0;
          await takeAll(source, (item) => bytes += item.length);
          const answer = Buffer.alloc(4);
          answer.writeUInt32LE(bytes, 0);
          return answer;
        }),
        rpc.serveDuplex("mirror", async ([source, sink]) => {
          await takeAll(source, (item) => sink.send(item));
          return Buffer.alloc(0);
        }),
      );
      return null;
    },
    uploads: () => uploads.splice(0),
    counted: () => counted,
  });
}

if (import.meta.main) await main();
