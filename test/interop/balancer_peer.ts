/** Client of a Rust group's load balancer (`balancer_peer_process.ts`). */
import { type LineProcess, startLineProcess } from "./line_process.ts";

/** Strategies that the core's groups take. */
export type GroupStrategy =
  | "round-robin"
  | "consistent-hash"
  | "least-load"
  | "least-connections"
  | "random";

/** A member of a group. */
export interface GroupMember {
  readonly originHash: bigint;
  /** 32 bytes; what the member is called on the core's hash ring. */
  readonly entityId: Uint8Array;
}

/** Operations of the process. */
export type BalancerOperations = {
  /** Makes a group. */
  spawn: [
    { members: number; seed: Uint8Array; strategy: GroupStrategy },
    { group: number; members: readonly GroupMember[] },
  ];
  /** Origin hash of the member that each key goes to. */
  route: [{ group: number; keys: readonly string[] }, bigint[]];
  /** Nanoseconds of one pick, calling into the core included. */
  time: [{ group: number; count: number; key?: string }, number];
};

/** Starts the process. */
export function startBalancerPeer(): LineProcess<BalancerOperations> {
  const program = new URL("./balancer_peer_process.ts", import.meta.url);
  return startLineProcess<BalancerOperations>(program, { name: "Rust group" });
}
