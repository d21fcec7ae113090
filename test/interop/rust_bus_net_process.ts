/**
 * A process with event buses of the Rust core, driven by JSON lines; its client is `rust_bus_net_test.ts`.
 *
 * Run with `deno run -A test/interop/rust_bus_net_process.ts`. Names of options were found by calling release 0.36.0:
 * `Net.create({numShards, ringBufferCapacity, backpressureMode, net: {bindAddr, peerAddr, psk, role, secretKey,
 * publicKey, peerPublicKey, reliability, heartbeatIntervalMs, sessionTimeoutMs}})`. It resolves when the handshake
 * is over, on both sides.
 */
import { Buffer } from "node:buffer";
import { createRequire } from "node:module";
import { RUST_PACKAGE } from "./rust_addon.ts";
import { serveLines } from "./serve_lines.ts";

/** Where a bus of the core is on the network, and whom it talks to. */
export interface RustBusNet {
  readonly bindAddr: string;
  readonly peerAddr: string;
  /** Hex. */
  readonly psk: string;
  readonly role: "initiator" | "responder";
  readonly secretKey?: string;
  readonly publicKey?: string;
  readonly peerPublicKey?: string;
  readonly reliability?: "none" | "light" | "full";
  readonly heartbeatIntervalMs?: number;
  readonly sessionTimeoutMs?: number;
}

/** An event as the core gives it. */
export interface RustBusEvent {
  readonly id: string;
  readonly bytes: Uint8Array;
  readonly shard: number;
  readonly insertionTs: bigint;
}

/** Operations of the process. */
export interface RustBusOperations {
  keys: [null, { publicKey: string; secretKey: string }];
  create: [{ shards: number; net?: RustBusNet }, null];
  ingest: [{ events: readonly Uint8Array[] }, number];
  flush: [null, null];
  poll: [
    { limit: number; cursor?: string; filter?: string },
    { events: readonly RustBusEvent[]; nextId: string | null; hasMore: boolean },
  ];
  shutdown: [null, null];
}

interface RustBus {
  pushBatch(events: readonly Buffer[]): number;
  flush(): Promise<void>;
  poll(request: object): Promise<{
    events: { id: string; rawBytes: Buffer; shardId: number; insertionTs: bigint }[];
    nextId?: string;
    hasMore: boolean;
  }>;
  shutdown(): Promise<void>;
}

interface BusAddon {
  readonly Net: { create(options: object): Promise<RustBus> };
  generateNetKeypair(): { publicKey: string; secretKey: string };
}

if (import.meta.main) {
  const addon = createRequire(import.meta.url)(RUST_PACKAGE) as BusAddon;
  let bus: RustBus | undefined;
  const open = () => bus ?? fail();
  await serveLines({
    keys: () => addon.generateNetKeypair(),
    create: async ({ shards, net }: RustBusOperations["create"][0]) => {
      bus = await addon.Net.create({ numShards: shards, net });
    },
    ingest: ({ events }: RustBusOperations["ingest"][0]) =>
      open().pushBatch(events.map((event) => Buffer.from(event))),
    flush: () => open().flush(),
    poll: async (request: RustBusOperations["poll"][0]) => {
      const { events, nextId, hasMore } = await open().poll(request);
      return {
        events: events.map(({ id, rawBytes, shardId, insertionTs }) => ({
          id,
          bytes: new Uint8Array(rawBytes),
          shard: shardId,
          insertionTs,
        })),
        nextId: nextId ?? null,
        hasMore,
      };
    },
    shutdown: () => open().shutdown(),
  });
}

function fail(): never {
  throw new Error("there is no bus");
}
