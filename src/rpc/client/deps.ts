/** What the caller's engine is handed. */
import type { Clock, RandomBytes } from "../../base/mod.ts";
import type { ClientLinks } from "../link/link.ts";
import type { RpcMeters } from "../metrics/service_meter.ts";

/** Parts that the engine works with. */
export interface RpcClientDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly links: ClientLinks;
  readonly meters: RpcMeters;
  /** This node, as observers are told. */
  readonly nodeId: bigint;
  /** The caller gate (`nrpc.md` 11): whether a node admits this one to a service, as far as it says. */
  mayExecute(target: bigint, service: string): boolean;
}
