/** What it costs, for each subscriber of each publish, to look whether it may still get the event. */
import { systemClock, systemRandom } from "../src/base/mod.ts";
import {
  ChannelRegistry,
  CHANNELS_PER_PEER_MAX,
  createChannelConfig,
  encodeTokenChain,
  issueToken,
  requireChannelId,
  RevocationRegistry,
  TOKEN_SCOPES,
} from "../src/channel/mod.ts";
import { createIdentity } from "../src/core/crypto/mod.ts";
import { silentLog } from "../src/observe/mod.ts";
import { Subscribers } from "../src/services/channels/subscribers.ts";
import { summarize } from "./_summary.ts";

const PEERS = 256;
const LOOKS = 4_000;
const ROUNDS = 15;
const OWNER = createIdentity(new Uint8Array(32).fill(1));
const PEER = createIdentity(new Uint8Array(32).fill(2));

/** Time of one look. */
export interface EntitlementFigures {
  /** On a channel that is open to all. */
  readonly openNanoseconds: number;
  /** On one that demands a token chain. */
  readonly chainNanoseconds: number;
}

/** Measures it with so many subscribers of one channel. */
export function measureEntitlement(): EntitlementFigures {
  return {
    openNanoseconds: measure("bench/open", false),
    chainNanoseconds: measure("bench/gated", true),
  };
}

function measure(name: string, isGated: boolean): number {
  const registry = new ChannelRegistry();
  const tokenRoots = isGated ? [OWNER.entityId] : [];
  registry.set(createChannelConfig(name, { tokenRoots }));
  const subscribers = new Subscribers({
    clock: systemClock,
    log: silentLog,
    random: systemRandom,
    registry,
    identity: OWNER,
    transport: {
      nodeId: OWNER.nodeId,
      connectedPeers: () => [],
      sendMessage: () => true,
      openSendStream: unused,
      receiveStream: unused,
      onMessage: unused,
      onPeerChange: unused,
    },
    facts: {
      entityOf: () => PEER.entityId,
      originHashOf: () => PEER.originHash,
      isOurs: () => false,
      tagsOf: () => [],
    },
    reach: { isVisible: () => true },
    tokens: { revocations: new RevocationRegistry(), publishChain: () => undefined },
  }, {
    unregistered: "deny",
    defaultVisibility: "global",
    channelsPerPeerMax: CHANNELS_PER_PEER_MAX,
  });
  const channel = requireChannelId(name);
  const chain = encodeTokenChain([issueToken(OWNER, {
    subject: PEER.entityId,
    scope: TOKEN_SCOPES.subscribe,
    channelHash: channel.hash,
    ttlSeconds: 3_600,
  }, { nowSeconds: Date.now() / 1000, random: systemRandom })]);
  const ids = crypto.getRandomValues(new BigUint64Array(PEERS));
  for (const id of ids) {
    const message = {
      kind: "subscribe",
      nonce: 1n,
      channel,
      chain,
      queueGroup: undefined,
    } as const;
    subscribers.onSubscribe(id, message);
  }
  const roster = subscribers.roster.get(name);
  if (roster?.broadcast.length !== PEERS) throw new Error("Cannot measure: not all were let in");
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const moment = subscribers.moment();
    let entitled = 0;
    const startMs = performance.now();
    for (let look = 0; look < LOOKS; look++) {
      for (const member of roster.broadcast) {
        if (subscribers.isEntitled(roster, member, "global", moment)) entitled += 1;
      }
    }
    times.push((performance.now() - startMs) * 1e6 / (LOOKS * PEERS));
    if (entitled !== LOOKS * PEERS) throw new Error("Cannot measure: somebody was put out");
  }
  // The first rounds run before the code is optimized.
  return summarize(times.slice(5)).median;
}

function unused(): never {
  throw new Error("Cannot be used: this node sends nothing");
}
