/** The gateway over blobs in memory, reached through a real socket. */
import { systemClock, systemRandom } from "../../src/base/mod.ts";
import { createGatewayApp, type GatewayAppDeps } from "../../src/gateway/app.ts";
import { GatewayCounters } from "../../src/gateway/gateway_counters.ts";
import { HttpServer, type HttpServerDeps } from "../../src/gateway/http/http_server.ts";
import { createNodeObjects } from "../../src/gateway/objects/node_objects.ts";
import { objectRoutes } from "../../src/gateway/objects/object_routes.ts";
import type { ObjectSource } from "../../src/gateway/objects/object_source.ts";
import { createWriteGuard, type WriteMode } from "../../src/gateway/objects/write_guard.ts";
import { problemResponse } from "../../src/gateway/problem.ts";
import { createMetricRegistry, silentLog } from "../../src/observe/mod.ts";
import { BlobService, openStorage, type Storage } from "../../src/services/mod.ts";

/** What writes are let through with. */
export const SECRET = "a-secret-of-the-tests-0123456789";

/** Options of {@linkcode openGateway}. */
export interface GatewayKitOptions {
  readonly writes?: WriteMode;
  readonly isLocal?: boolean;
  readonly limits?: GatewayAppDeps["limits"];
  readonly times?: HttpServerDeps["times"];
  /** Stands between the routes and the blobs. */
  readonly wrap?: (source: ObjectSource) => ObjectSource;
}

/** A gateway under test. */
export interface GatewayKit extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly storage: Storage;
  readonly counters: GatewayCounters;
  readonly server: HttpServer;
  /** Stores bytes past the gateway; their address. */
  put(bytes: Uint8Array): Promise<string>;
}

/** Opens one. */
export async function openGateway(options: GatewayKitOptions = {}): Promise<GatewayKit> {
  const metrics = createMetricRegistry();
  const deps = { clock: systemClock, log: silentLog, metrics };
  const storage = await openStorage(deps, undefined);
  const blobs = new BlobService({ ...deps, storage, mesh: undefined });
  const counters = new GatewayCounters();
  const own = createNodeObjects({ blobs, store: storage.blobs });
  const source = options.wrap?.(own) ?? own;
  const guard = createWriteGuard(options.writes ?? "token", SECRET);
  const app = createGatewayApp({
    ...deps,
    random: systemRandom,
    counters,
    isLocal: options.isLocal ?? true,
    limits: options.limits ?? { requestsPerSecond: 100_000 },
  }, objectRoutes({ source, guard, counters }));
  const server = new HttpServer({
    clock: systemClock,
    handle: app,
    refuse: ({ status, message }) => problemResponse({ status, code: "bad_request", message }),
    times: options.times,
  });
  const { port } = server.listen({ host: "127.0.0.1", port: 0 });
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    storage,
    counters,
    server,
    put: async (bytes) => {
      let at = 0;
      const { address } = await blobs.put({
        read: (into) => {
          const piece = bytes.subarray(at, at + into.length);
          into.set(piece);
          at += piece.length;
          return Promise.resolve(piece.length === 0 ? null : piece.length);
        },
      });
      return address;
    },
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      await storage.stop();
    },
  };
}

/** Bytes that differ from place to place. */
export function pattern(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = (at * 31 + (at >>> 11)) & 0xff;
  return bytes;
}
