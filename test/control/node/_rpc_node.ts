/** The methods about calls over calls that stay in this process. */
import type { NodeCaller } from "../../../cmd/doors.ts";
import { NetError } from "../../../src/base/mod.ts";
import { MethodTable } from "../../../src/control/mod.ts";
import { rpcMethods, type RpcNode } from "../../../src/control/node/rpc_methods.ts";
import { createCapabilitySet } from "../../../src/core/capability/mod.ts";
import { MEMORY_NODE, MemoryRpc } from "./_memory_rpc.ts";

type Row = Record<string, unknown>;

/** One method call: what it told, what became of it, and a way to end it. */
export interface RunningMethod {
  readonly told: Row[];
  readonly result: Promise<Row>;
  leave(): void;
  /** The next thing it tells that fulfils the condition. */
  until(condition: (row: Row) => boolean): Promise<Row>;
}

/**
 * The methods about calls of a node without a mesh.
 *
 * @param announced Tags by node.
 */
export function makeRpcNode(announced: readonly (readonly [bigint, readonly string[]])[] = []) {
  const rpc = new MemoryRpc();
  const table = new MethodTable();
  const areas: Record<string, () => Readonly<Record<string, number>>> = {};
  const stopping = new AbortController();
  const node = {
    rpc,
    stopSignal: stopping.signal,
    metrics: {
      register: (area: string, read: () => Record<string, number>) => (areas[area] = read),
    },
    mesh: {
      transport: {
        nodeId: MEMORY_NODE,
        peers: () => [],
        peer: (id: bigint) =>
          id === 2n
            ? { state: "connected", isSealed: true, isRelayed: true, rttMs: 1.5 }
            : undefined,
        routes: () => [],
        discovered: () => [],
      },
      dialer: { targets: () => [] },
    },
    capabilities: {
      values: () =>
        announced.map(([nodeId, tags]) => ({ nodeId, capabilities: createCapabilitySet(tags) })),
    },
  };
  table.register(...rpcMethods(node as unknown as RpcNode));
  const start = (name: string, params: Row = {}): RunningMethod => {
    const told: Row[] = [];
    const controller = new AbortController();
    const waiting = new Set<() => void>();
    const tell = (data: object) => {
      told.push(data as Row);
      for (const wake of waiting) wake();
    };
    const result = (async () =>
      await table.lookup(name)?.call(params, {
        transport: "unix",
        signal: controller.signal,
        progress: tell,
        send: (data) => {
          controller.signal.throwIfAborted();
          tell(data);
          return Promise.resolve();
        },
      }) as Row)();
    result.catch(() => {});
    return {
      told,
      result,
      leave: () => controller.abort(new NetError("failed", "left")),
      until: async (condition) => {
        for (;;) {
          const row = told.find(condition);
          if (row !== undefined) return row;
          await new Promise<void>((resolve) => waiting.add(resolve));
        }
      },
    };
  };
  /** The node as verbs see it; a promise that a progress handler returns is waited for. */
  const caller = (): NodeCaller => ({
    call: async (name, params, options = {}) => {
      const { onProgress, signal = new AbortController().signal } = options;
      const gone = Promise.withResolvers<never>();
      gone.promise.catch(() => {});
      const onAbort = () => gone.reject(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      const method = table.lookup(name);
      const given = { ...params };
      for (const [key, value] of Object.entries(given)) if (value === undefined) delete given[key];
      try {
        signal.throwIfAborted();
        return await Promise.race([
          gone.promise,
          method?.call(given, {
            transport: "unix",
            signal,
            progress: (data) => void onProgress?.(data),
            send: async (data) => {
              signal.throwIfAborted();
              await onProgress?.(data);
            },
          }),
        ]);
      } finally {
        signal.removeEventListener("abort", onAbort);
      }
    },
    close: () => {},
  });
  return {
    rpc,
    areas,
    stop: () => stopping.abort(new NetError("draining", "The node stops")),
    caller,
    start,
    call: (name: string, params: Row = {}) => start(name, params).result,
  };
}
