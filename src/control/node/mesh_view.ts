/** The part of a node that its mesh is looked at through. */
import { NetError } from "../../base/mod.ts";
import type { Dialer, MeshTransport } from "../../core/transport/mod.ts";
import type { NatService } from "../../services/mod.ts";

/** What methods about peers, streams and routes read. */
export interface MeshView {
  readonly mesh: {
    readonly transport: MeshTransport;
    readonly dialer: Pick<Dialer, "targets">;
  };
}

/** A mesh in which sessions can be made with nodes that are known by their announcements. */
export interface ReachingView extends MeshView {
  readonly nat: Pick<NatService, "reach">;
}

/**
 * Makes sure that there is a session with a node, if that is possible.
 *
 * @returns Why there is none; `undefined` when there is one.
 * @throws The signal's reason when it is aborted.
 */
export async function reachFor(
  { nat }: ReachingView,
  nodeId: bigint,
  signal: AbortSignal,
): Promise<NetError | undefined> {
  try {
    await nat.reach(nodeId, signal);
    return undefined;
  } catch (error) {
    if (signal.aborted || !(error instanceof NetError)) throw error;
    return error;
  }
}
