/**
 * Control messages that came on the session of another peer than they claim, over all planes: zero in
 * normal life, so an operator may take any other number for an alarm.
 */
import type { MetricRegistry } from "../observe/mod.ts";
import type { ChannelService } from "./channels/mod.ts";
import type { NatService } from "./nat/mod.ts";
import type { RpcService } from "./rpc/mod.ts";

/** Planes that check who sent a message. */
export interface AuthRejectionSources {
  readonly channels: Pick<ChannelService, "counters">;
  readonly nat: Pick<NatService, "counters">;
  readonly rpc: Pick<RpcService, "hasStarted"> & {
    readonly client: { readonly counters: Pick<RpcService["client"]["counters"], "forgedDropped"> };
  };
}

/** Adds `net_subprotocol_peer_auth_rejections` to the metrics: membership, rendezvous, answers to calls. */
export function registerAuthRejections(
  metrics: MetricRegistry,
  { channels, nat, rpc }: AuthRejectionSources,
): void {
  metrics.register("subprotocol", () => {
    // Calls start after channels; before that neither has anything to say.
    const others = rpc.hasStarted
      ? (channels.counters().peer_auth_rejections_total ?? 0) + rpc.client.counters.forgedDropped
      : 0;
    return { peer_auth_rejections: (nat.counters().peer_auth_rejections_total ?? 0) + others };
  });
}
