/** Nodes with channels and calls on a simulated network; what one announces the others know at once. */
import { NetError } from "../../../src/base/mod.ts";
import { createMetricRegistry, silentLog } from "../../../src/observe/mod.ts";
import { serviceTag, TAG_RPC_BODIES } from "../../../src/rpc/mod.ts";
import { type RpcReach, RpcService } from "../../../src/services/mod.ts";
import { ChannelKit, type ChannelNode, type ChannelNodeOptions } from "../channels/channel_kit.ts";

/** A node and its calls. */
export interface CallNode extends ChannelNode {
  readonly rpc: RpcService;
  rpcCounters(): Readonly<Record<string, number>>;
  /** How often it announced itself to a peer on demand. */
  readonly announcedTo: bigint[];
}

/** Options of a node. */
export interface CallNodeOptions extends ChannelNodeOptions {
  /** False leaves out the tag of long bodies. */
  readonly isExtended?: boolean;
  /** How sessions are made on demand; none can be when left out. */
  readonly reach?: RpcReach;
  readonly mayAdmit?: (caller: bigint, tag: string) => boolean;
  readonly mayExecute?: (target: bigint, tag: string) => boolean;
}

/** A mesh of such nodes. */
export class RpcKit extends ChannelKit {
  readonly #callers: CallNode[] = [];

  /** Makes and starts a node. */
  override async node(number: number, options: CallNodeOptions = {}): Promise<CallNode> {
    const made = await super.node(number, options);
    const { channels, identity, node } = made;
    const { transport } = node;
    const metrics = createMetricRegistry();
    const announcedTo: bigint[] = [];
    const versionOf = () => this.changes;
    const rpc = new RpcService({
      clock: this.clock,
      log: silentLog,
      random: countingRandom(number),
      metrics,
      mesh: { transport },
      identity,
      facts: {
        isOurs: (peer) => transport.peer(peer)?.isSealed === true,
        originHashOf: (peer) => this.originHashOf(peer),
      },
      channels,
      announcements: {
        tagsOf: (peer) => this.tagsOf(peer),
        announceTo: (peer) => void announcedTo.push(peer),
        onAnnounced: (handler) => this.onAnnounced(handler),
        nodesOffering: (service) => this.nodesAnnouncing(serviceTag(service)),
        get version() {
          return versionOf();
        },
        offer: (services) => {
          const tags = services.map(serviceTag);
          made.announceAs("rpc", options.isExtended === false ? tags : [TAG_RPC_BODIES, ...tags]);
        },
      },
      reach: options.reach ?? {
        reach: () => Promise.reject(new NetError("unreachable", "Cannot reach it: no way")),
        mayReach: (peer) => transport.peer(peer)?.state !== "failed",
      },
      gates: {
        mayExecute: options.mayExecute ?? (() => true),
        mayAdmit: options.mayAdmit ?? (() => true),
      },
    }, { sessionTimeoutMs: 30_000 });
    await rpc.start();
    const caller = { ...made, rpc, announcedTo, rpcCounters: () => metrics.snapshot() };
    this.#callers.push(caller);
    return caller;
  }

  override [Symbol.dispose](): void {
    for (const { rpc } of this.#callers) void rpc.stop();
    super[Symbol.dispose]();
  }

  /** Lets time pass until a promise settles. */
  async settled<T>(promise: Promise<T>, limitMs = 60_000): Promise<T> {
    let isSettled = false;
    const settle = () => void (isSettled = true);
    promise.then(settle, settle);
    if (!await this.until(() => isSettled, limitMs)) throw new Error("it never settled");
    return await promise;
  }
}

function countingRandom(seed: number) {
  let count = 0;
  return (length: number) => {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += 4) {
      count += 1;
      const value = Math.imul(count, 0x9e3779b1) ^ Math.imul(seed, 0x85ebca6b);
      for (let i = 0; i < 4 && at + i < length; i++) bytes[at + i] = value >>> (8 * i);
    }
    return bytes;
  };
}
