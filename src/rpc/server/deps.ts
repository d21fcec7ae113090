/** What the serving engine is handed. */
import type { Clock } from "../../base/mod.ts";
import type { Log } from "../../observe/mod.ts";
import type { ServerLinks } from "../link/mod.ts";
import type { RpcMeters } from "../metrics/mod.ts";

/** Parts that the engine works with. */
export interface RpcServerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly links: ServerLinks;
  readonly meters: RpcMeters;
  /** 32 random bits: peers cannot tell where the calls they make are remembered. */
  readonly seed?: number;
  /** This node, as observers are told. */
  readonly nodeId: bigint;
  /** The gate (`nrpc.md` 11): whether this node runs a service for a caller; refusals are counted there. */
  mayAdmit(caller: bigint, service: string): boolean;
  /** Changes whenever an answer of `mayAdmit` may; without it every call asks. */
  admissionVersion?(): number;
}
