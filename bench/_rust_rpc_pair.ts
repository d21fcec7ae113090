/** Two nodes of the Rust core that call each other, each in a process of its own. */
import { type LineProcess, startLineProcess } from "../test/interop/line_process.ts";
import type { CallFigures, CallLoad, ItemFigures, ItemLoad } from "./_call_load.ts";
import type { RustRpcOperations } from "./_rust_rpc_process.ts";

/** Shapes of calls that carry streams. */
export type StreamShape = "serverStream" | "clientStream" | "duplex";

/** A caller and a server. */
export interface RpcPair extends AsyncDisposable {
  calls(load: CallLoad): Promise<CallFigures>;
  items(shape: StreamShape, load: ItemLoad): Promise<ItemFigures>;
  /** CPU seconds of the serving process so far. */
  serverCpuSeconds(): Promise<number>;
}

/** Starts and connects them. */
export async function openRustRpcPair(): Promise<RpcPair> {
  await using stack = new AsyncDisposableStack();
  const program = new URL("./_rust_rpc_process.ts", import.meta.url);
  const start = (name: string): LineProcess<RustRpcOperations> =>
    stack.use(startLineProcess<RustRpcOperations>(program, { name }));
  const caller = start("Rust caller");
  const server = start("Rust server");
  const psk = crypto.getRandomValues(new Uint8Array(32)).toHex();
  const { nodeId } = await caller.call("create", { psk });
  const info = await server.call("create", { psk });
  const accepted = server.call("accept", { peer: nodeId });
  await caller.call("connect", info);
  await accepted;
  await Promise.all([caller.call("start", {}), server.call("start", {})]);
  await server.call("serve", {});
  const peer = info.nodeId;
  // The first calls teach the caller who serves.
  await caller.call("calls", { peer, count: 200, inFlight: 1, bodyBytes: 64 });
  const owned = stack.move();
  return {
    calls: (load) => caller.call("calls", { ...load, peer }),
    items: (shape, load) => caller.call(shape, { ...load, peer }),
    serverCpuSeconds: () => server.call("cpuSeconds", {}),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
