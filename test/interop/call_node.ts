/** A whole node of ours with channels and calls, over a real socket. */
import { NetError, systemClock, systemRandom } from "../../src/base/mod.ts";
import { createMetricRegistry, silentLog } from "../../src/observe/mod.ts";
import { channelPeerFacts, createRpcAnnouncements, RpcService } from "../../src/services/mod.ts";
import {
  type ChannelingNode,
  type ChannelingNodeOptions,
  startChannelNode,
} from "./channel_node.ts";

/** A running node. */
export interface CallingNode extends ChannelingNode {
  readonly rpc: RpcService;
}

/** Starts a node. */
export async function startCallNode(options: ChannelingNodeOptions = {}): Promise<CallingNode> {
  const node = await startChannelNode(options);
  const { mesh, capabilities } = node.capable;
  const metrics = createMetricRegistry();
  const rpc = new RpcService({
    clock: systemClock,
    log: silentLog,
    random: systemRandom,
    metrics,
    mesh,
    identity: node.keys.identity,
    facts: channelPeerFacts(capabilities, mesh),
    channels: node.channels,
    announcements: createRpcAnnouncements(capabilities),
    // The nodes here connect before they call.
    reach: {
      reach: () => Promise.reject(new NetError("unreachable", "Cannot reach it: no way")),
      mayReach: (peer) => mesh.transport.peer(peer)?.state !== "failed",
    },
    gates: capabilities,
  }, { sessionTimeoutMs: 1_000 });
  await rpc.start();
  return {
    ...node,
    rpc,
    counters: () => ({ ...metrics.snapshot(), ...node.counters() }),
    [Symbol.asyncDispose]: async () => {
      await rpc.stop();
      await node[Symbol.asyncDispose]();
    },
  };
}
