/**
 * A Rust peer process that offers chunks by calls and is offered them; everything else is `rust_peer_process.ts`.
 * Release 0.36.0 has neither side of overflow in its addon, so that its calls, its transfers and its announcements
 * are the core's, and the decision to push is the test's.
 *
 * Run with `deno run -A test/interop/rust_overflow_process.ts`; its client is `rust_overflow_test.ts`.
 */
import { Buffer } from "node:buffer";
import { loadRustAddon, type RustMesh, toBuffer } from "./rust_addon.ts";
import { createHandlers } from "./rust_peer_process.ts";
import type { RustOperations } from "./rust_protocol.ts";
import { serveLines } from "./serve_lines.ts";

/** Operations of this process. */
export interface OverflowOperations extends RustOperations {
  /** Calls a service; the answer. */
  unary: [{ node: number; peer: bigint; service: string; body: Uint8Array }, Uint8Array];
  /** Serves a service by always giving the same answer. */
  answer: [{ node: number; service: string; reply: Uint8Array }, null];
  /** Names of features that the core exports. */
  features: [Record<never, never>, readonly string[]];
  /** What it was asked since the last time. */
  asked: [Record<never, never>, readonly Uint8Array[]];
}

interface UnaryRpc {
  call(peer: bigint, service: string, body: Buffer, options: object): Promise<Buffer>;
  serve(service: string, handler: (body: Buffer) => Promise<Buffer>): unknown;
}

async function main(): Promise<never> {
  const addon = loadRustAddon();
  const nodes: RustMesh[] = [];
  const asked: Uint8Array[] = [];
  // A handle serves for as long as it lives.
  const handles: unknown[] = [];
  const rpcs = new Map<number, UnaryRpc>();
  const rpcOf = (node: number): UnaryRpc => {
    const rpc = rpcs.get(node) ??
      addon.MeshRpc.fromMesh(nodes[node] as RustMesh) as unknown as UnaryRpc;
    rpcs.set(node, rpc);
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
    unary: async ({ node, peer, service, body }: OverflowOperations["unary"][0]) =>
      new Uint8Array(await rpcOf(node).call(peer, service, toBuffer(body), { deadlineMs: 20_000 })),
    answer: ({ node, service, reply }: OverflowOperations["answer"][0]) => {
      handles.push(
        rpcOf(node).serve(service, (body) => {
          asked.push(new Uint8Array(body));
          return Promise.resolve(Buffer.from(reply));
        }),
      );
      return null;
    },
    features: () =>
      Object.entries(addon as unknown as Record<string, unknown>).flatMap(([name, value]) =>
        name.startsWith("DATAFORTS_BLOB_") && typeof value === "string" ? [value] : []
      ),
    asked: () => asked.splice(0),
  });
}

if (import.meta.main) await main();
