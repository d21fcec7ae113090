/** What the layers of the gateway know of a request, and what they need. */
import type { Context } from "hono";
import type { Clock, RandomBytes } from "../base/mod.ts";
import type { Log } from "../observe/mod.ts";
import type { GatewayCounters } from "./gateway_counters.ts";
import type { RequestInfo } from "./http/connection.ts";

/** What {@linkcode createGatewayApp} needs. */
export interface GatewayAppDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  readonly counters: GatewayCounters;
  /** The listener is reached from this machine only. */
  readonly isLocal: boolean;
  /** True while the node takes no new work; nothing else is refused by it. */
  readonly isDraining?: () => boolean;
  readonly limits?: { readonly inFlightMax?: number; readonly requestsPerSecond?: number };
}

/** What goes with a request through the layers. */
export interface Env {
  Bindings: {
    readonly info: RequestInfo;
    readonly requestId: string;
    /** The path of the route that answered, for the metrics. */
    route: string;
  };
}

/** A request on its way. */
export type GatewayContext = Context<Env>;
