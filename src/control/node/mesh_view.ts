/** The part of a node that its mesh is looked at through. */
import type { Dialer, MeshTransport } from "../../core/transport/mod.ts";

/** What methods about peers, streams and routes read. */
export interface MeshView {
  readonly mesh: {
    readonly transport: MeshTransport;
    readonly dialer: Pick<Dialer, "targets">;
  };
}
