/** Two nodes of ours that call each other, each in a process of its own: what `_rust_rpc_pair.ts` is to Rust. */
import { pause } from "../src/base/mod.ts";
import { type LineProcess, startLineProcess } from "../test/interop/line_process.ts";
import type { CallFigures, CallLoad, ItemFigures, ItemLoad } from "./_call_load.ts";
import type { RpcOperations } from "./_rpc_process.ts";
import type { CancelTimes } from "./_rpc_shapes.ts";
import type { StreamShape } from "./_rust_rpc_pair.ts";

const WARM_CALLS = 200;
const WARM_TRIES_MAX = 50;
const WARM_PAUSE_MS = 100;

/** A caller and a server. */
export interface OwnRpcPair extends AsyncDisposable {
  readonly caller: LineProcess<RpcOperations>;
  readonly server: LineProcess<RpcOperations>;
  /** Of a service that gives the body back, or nothing back. */
  calls(load: CallLoad, service?: "echo" | "drop"): Promise<CallFigures>;
  items(shape: StreamShape, load: ItemLoad): Promise<ItemFigures>;
  /** From cancelling a stream in the middle until the handler's word of it is back. */
  cancels(count: number): Promise<CancelTimes>;
  /** CPU seconds of the serving process so far. */
  serverCpuSeconds(): Promise<number>;
}

/** Options of {@linkcode openRpcPair}. */
export interface OwnRpcPairOptions {
  /** Microseconds that both poll their sockets after traffic, 0 for none; 50 when left out. */
  readonly pollMicroseconds?: number;
  /** Options of the engine, as `--v8-flags` takes them. */
  readonly v8Flags?: readonly string[];
}

/** Starts and connects them. */
export async function openRpcPair(options: OwnRpcPairOptions = {}): Promise<OwnRpcPair> {
  await using stack = new AsyncDisposableStack();
  const program = new URL("./_rpc_process.ts", import.meta.url);
  const { pollMicroseconds, v8Flags } = options;
  const start = (name: string): LineProcess<RpcOperations> =>
    stack.use(startLineProcess<RpcOperations>(program, { name, v8Flags }));
  const caller = start("our caller");
  const server = start("our server");
  await caller.call("start", { pollMicroseconds });
  const info = await server.call("start", { pollMicroseconds });
  await server.call("serve", {});
  await caller.call("connect", info);
  const peer = info.nodeId;
  await warmUp((count) => caller.call("calls", { peer, count, inFlight: 1, bodyBytes: 64 }));
  const owned = stack.move();
  return {
    caller,
    server,
    calls: (load, service) => caller.call("calls", { ...load, peer, service }),
    items: (shape, load) => caller.call(shape, { ...load, peer }),
    cancels: (count) => caller.call("cancels", { peer, count }),
    serverCpuSeconds: () => server.call("cpuSeconds", {}),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Calls until the server's announcement has come, without which this side's gate lets no call through. */
async function warmUp(calls: (count: number) => Promise<CallFigures>): Promise<void> {
  for (let attempt = 0; attempt < WARM_TRIES_MAX; attempt++) {
    if ((await calls(1)).failed === 0) break;
    await pause(WARM_PAUSE_MS);
  }
  const { failed, failure } = await calls(WARM_CALLS);
  if (failed > 0) throw new Error(`Cannot measure calls: ${failure}`);
}
