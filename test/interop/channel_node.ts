/** A whole node of ours with channels, over a real socket, as the live core's partner. */
import { systemClock, systemRandom } from "../../src/base/mod.ts";
import { createRamKeys, type NodeKeys } from "../../src/core/crypto/mod.ts";
import { createMetricRegistry, silentLog } from "../../src/observe/mod.ts";
import {
  channelAnnouncements,
  channelPeerFacts,
  ChannelService,
  type ChannelSubscription,
} from "../../src/services/mod.ts";
import { RevocationRegistry } from "../../src/channel/mod.ts";
import { type CapableNode, startCapableNode } from "../services/capabilities/capability_kit.ts";
import { parseAddress } from "./lossy_proxy.ts";
import { eventually } from "./mesh_node.ts";
import type { RustNodeInfo } from "./rust_protocol.ts";

/** A running node. */
export interface ChannelingNode extends AsyncDisposable {
  readonly nodeId: bigint;
  readonly keys: NodeKeys;
  readonly capable: CapableNode;
  readonly channels: ChannelService;
  readonly revocations: RevocationRegistry;
  counters(): Readonly<Record<string, number>>;
  /** Opens a session with a node of the core, and waits until both know who the other is. */
  connect(rust: RustNodeInfo): Promise<void>;
}

/** Options of {@linkcode startChannelNode}. */
export interface ChannelingNodeOptions {
  readonly seed?: Uint8Array;
  readonly join?: ChannelingNode;
  /** See `MeshServiceOptions`. */
  readonly pollMicroseconds?: number;
}

/** Starts a node. */
export async function startChannelNode(
  options: ChannelingNodeOptions = {},
): Promise<ChannelingNode> {
  const keys = options.seed === undefined
    ? createRamKeys()
    : createRamKeys(systemRandom, { identity: { seed: options.seed, issuerGeneration: 0 } });
  const { pollMicroseconds } = options;
  const capable = await startCapableNode({ keys, join: options.join?.capable, pollMicroseconds });
  const metrics = createMetricRegistry();
  const revocations = new RevocationRegistry();
  const { capabilities, mesh } = capable;
  const channels = new ChannelService({
    clock: systemClock,
    log: silentLog,
    random: systemRandom,
    metrics,
    mesh,
    identity: keys.identity,
    memory: {
      readChannels: () => Promise.resolve([]),
      writeChannel: () => Promise.resolve(),
      removeChannel: () => Promise.resolve(),
    },
    announcements: channelAnnouncements(capabilities),
    facts: channelPeerFacts(capabilities, mesh),
    reach: { isVisible: () => true },
    tokens: { revocations, publishChain: () => undefined },
  });
  await channels.start();
  const { nodeId } = keys.identity;
  return {
    nodeId,
    keys,
    capable,
    channels,
    revocations,
    counters: () => ({ ...metrics.snapshot(), ...capable.counters() }),
    connect: async (rust) => {
      await mesh.transport.dial({
        nodeId: rust.nodeId,
        noisePublicKey: rust.publicKey,
        addresses: [parseAddress(rust.address)],
        form: "routed",
      }, 3_000);
      await eventually("the session is up", () => isConnected(capable, rust.nodeId));
    },
    [Symbol.asyncDispose]: async () => {
      await channels.stop();
      await capable.stop();
    },
  };
}

function isConnected({ mesh }: CapableNode, peer: bigint): boolean {
  return mesh.transport.connectedPeers().includes(peer);
}

/** The next events of a subscription as texts; fails when fewer came in time. */
export async function nextTexts(
  subscription: ChannelSubscription,
  count: number,
  timeoutMs = 8_000,
): Promise<string[]> {
  const signal = AbortSignal.timeout(timeoutMs);
  const texts: string[] = [];
  while (texts.length < count) {
    const event = await subscription.next(signal);
    if (event === undefined) break;
    texts.push(new TextDecoder().decode(event.bytes));
  }
  return texts;
}
