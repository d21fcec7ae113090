/** The Rust core's event bus over an engine, told what to do by JSON lines; its client is in `rust_bus_test.ts`. */
import type { Buffer } from "node:buffer";
import { loadRustAddon } from "./rust_addon.ts";
import { serveLines } from "./serve_lines.ts";

/** An event as the core gives it back. */
export interface RustBusEvent {
  readonly id: string;
  readonly raw: string;
  readonly insertionTs: bigint;
  readonly shard: number;
}

/** A page of them. */
export interface RustBusPage {
  readonly events: readonly RustBusEvent[];
  readonly nextId: string | null;
  readonly hasMore: boolean;
}

/** Operations of this process. */
export interface RustBusOperations {
  open: [{ readonly url: string; readonly prefix: string; readonly shards: number }, null];
  /** Takes JSON texts and hands them to the engine; the shard of each. */
  ingest: [{ readonly events: readonly string[] }, readonly number[]];
  poll: [
    { readonly limit: number; readonly cursor?: string; readonly filter?: string },
    RustBusPage,
  ];
  close: [Record<never, never>, null];
  /** What the core's helper says of ids in turn, and how many it remembers in the end. */
  dedup: [
    { readonly capacity: number; readonly ids: readonly string[] },
    { readonly duplicates: readonly boolean[]; readonly size: number },
  ];
}

interface RustBus {
  ingestRawSync(event: string): { shardId: number };
  flush(): Promise<void>;
  poll(options: object): Promise<{
    events: { id: string; rawBytes: Buffer; insertionTs: bigint; shardId: number }[];
    nextId?: string;
    hasMore: boolean;
  }>;
  shutdown(): Promise<void>;
}

interface BusAddon {
  readonly Net: { create(options: object): Promise<RustBus> };
  readonly RedisStreamDedup: new (capacity: number) => {
    isDuplicate(id: string): boolean;
    readonly len: number | bigint;
  };
}

type Handlers = {
  [Name in keyof RustBusOperations]: (
    args: RustBusOperations[Name][0],
  ) => RustBusOperations[Name][1] | Promise<RustBusOperations[Name][1]>;
};

function createHandlers(): Handlers {
  const { Net, RedisStreamDedup } = loadRustAddon() as unknown as BusAddon;
  let bus: RustBus | undefined;
  const opened = (): RustBus => {
    if (bus === undefined) throw new Error("The bus is not open");
    return bus;
  };
  return {
    open: async ({ url, prefix, shards }) => {
      bus = await Net.create({ numShards: shards, redis: { url, prefix } });
      return null;
    },
    ingest: async ({ events }) => {
      const shards = events.map((event) => opened().ingestRawSync(event).shardId);
      await opened().flush();
      return shards;
    },
    poll: async (options) => {
      const { events, nextId, hasMore } = await opened().poll(options);
      return {
        events: events.map(({ id, rawBytes, insertionTs, shardId }) => ({
          id,
          raw: rawBytes.toString(),
          insertionTs,
          shard: shardId,
        })),
        nextId: nextId ?? null,
        hasMore,
      };
    },
    close: async () => {
      await bus?.shutdown();
      bus = undefined;
      return null;
    },
    dedup: ({ capacity, ids }) => {
      const dedup = new RedisStreamDedup(capacity);
      const duplicates = ids.map((id) => dedup.isDuplicate(id));
      return { duplicates, size: Number(dedup.len) };
    },
  };
}

if (import.meta.main) await serveLines(createHandlers());
