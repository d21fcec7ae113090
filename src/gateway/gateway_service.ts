/**
 * The gateway of a node: its HTTP listener, and the routes that are served there.
 *
 * Further surfaces are further routes: `GatewayDeps.routes` takes them.
 */
import { formatSocketAddress, systemClock, systemRandom } from "../base/mod.ts";
import type { AdoptedTcp, ServiceHealth } from "../kernel/mod.ts";
import type { GatewayFactory, GatewayService, Node } from "../node.ts";
import type { Log } from "../observe/mod.ts";
import { createGatewayApp } from "./app.ts";
import { GatewayCounters } from "./gateway_counters.ts";
import { healthRoutes } from "./health/health_routes.ts";
import { metricsRoute } from "./health/metrics_route.ts";
import { HttpServer } from "./http/http_server.ts";
import { openHttpSecret } from "./http_secret.ts";
import { createNodeObjects } from "./objects/node_objects.ts";
import { objectRoutes } from "./objects/object_routes.ts";
import { createWriteGuard } from "./objects/write_guard.ts";
import { problemResponse } from "./problem.ts";
import type { GatewayRoute } from "./route.ts";
import { isLoopback } from "./web_guard.ts";

/** What the gateway needs beside the node. */
export interface GatewayDeps {
  readonly log: Log;
  /** A socket that a service manager opened for it; it takes the place of the configured address. */
  readonly listener?: AdoptedTcp;
  /** Further routes. */
  readonly routes?: (node: Node) => readonly GatewayRoute[];
}

/** Makes the gateway of a node whose configuration has an address for it. */
export function nodeGateway(deps: GatewayDeps): GatewayFactory {
  return (node) => new Gateway(node, deps);
}

class Gateway implements GatewayService {
  readonly name = "gateway";
  readonly #node: Node;
  readonly #deps: GatewayDeps;
  #server: HttpServer | undefined;
  #httpAddress: string | undefined;
  #secret: string | undefined;
  #leaveHealth: (() => void)[] = [];

  constructor(node: Node, deps: GatewayDeps) {
    this.#node = node;
    this.#deps = deps;
  }

  get httpAddress(): string | undefined {
    return this.#httpAddress;
  }

  get httpSecret(): string | undefined {
    return this.#secret;
  }

  async start(): Promise<void> {
    const { config, blobs, storage, metrics, health, healthView } = this.#node;
    const { log, routes } = this.#deps;
    if (config.http === undefined) return;
    const isLocal = isLoopback(config.http.host);
    const secret = this.#secret = await openHttpSecret(this.#node.dataDir, systemRandom);
    const counters = new GatewayCounters();
    const guard = createWriteGuard(config.httpWrite, secret);
    const source = createNodeObjects({ blobs, store: storage.blobs });
    const app = createGatewayApp(
      {
        clock: systemClock,
        random: systemRandom,
        log,
        counters,
        isLocal,
        isDraining: () => health.isDraining,
      },
      [
        ...objectRoutes({ source, guard, counters }),
        ...healthRoutes(healthView, isLocal),
        metricsRoute({ clock: systemClock, metrics }),
        ...routes?.(this.#node) ?? [],
      ],
    );
    const server = this.#server = new HttpServer({
      clock: systemClock,
      handle: app,
      refuse: ({ status, message }) =>
        problemResponse({
          status,
          code: "bad_request",
          message: `Cannot read request: ${message}`,
        }),
    });
    this.#leaveHealth = [
      // The requests under way are those that were let in: probes are none of them.
      health.addDrainPart({ name: "http", inFlight: () => counters.inFlight }),
      health.countConnections(() => server.counters.connections_active),
    ];
    metrics.register("http", () => {
      const { bytes_in_total: _in, bytes_out_total: _out, ...own } = server.counters;
      return own;
    });
    metrics.registerFamilies("http_latency", () => counters.families());
    metrics.register("http_specified", () => {
      const { bytes_in_total, bytes_out_total } = server.counters;
      return { ...counters.snapshot(), bytes_in_total, bytes_out_total };
    }, { isSpecified: true });
    const { listener } = this.#deps;
    if (listener !== undefined) server.serveListener(listener);
    const address = listener?.address ?? server.listen(config.http);
    this.#httpAddress = formatSocketAddress(address);
    log.info("http_started", { http: this.#httpAddress, write: config.httpWrite });
    if (!isLocal) {
      log.warn("http_open", {
        hint: "whoever reaches this address can read every object whose address they know",
      });
    }
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
    for (const leave of this.#leaveHealth.splice(0)) leave();
    this.#server = undefined;
    this.#httpAddress = undefined;
  }

  health(): ServiceHealth {
    return this.#server?.isFull === true
      ? { state: "degraded", detail: "there is no room for more connections" }
      : { state: "healthy" };
  }
}
