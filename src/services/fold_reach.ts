/**
 * How far statements of folds go, by what the operator says of channels (promise C5): each kind stands
 * for a channel, `fold/cap`, `fold/route`, `fold/res` and `fold/island`. Its visibility is theirs, seen
 * from the subnet of their publisher, and so are the subnets it is exported to. Without such a channel
 * they go everywhere.
 *
 * The prefixes that the specification gives the kinds (`fold:cap:`) are no names that channels can have.
 */
import type { Clock } from "../base/mod.ts";
import { isChannelVisible, type Visibility } from "../channel/mod.ts";
import {
  FOLD_KIND_FACTS,
  FOLD_KINDS,
  type FoldKindNumber,
  type FoldReach,
} from "../core/capability/mod.ts";
import { deriveChannelHash } from "../core/crypto/mod.ts";

/** What is known of subnets. */
export interface FoldReachDeps {
  readonly clock: Clock;
  /** Subnet of any node by its signed word; `undefined` when it never announced itself. */
  locate(node: bigint): number | undefined;
  visibilityOf(channelHash: bigint): Visibility | undefined;
  targetsOf(channelHash: bigint): readonly number[] | undefined;
}

interface Channel {
  readonly visibility: Visibility;
  readonly targets: readonly number[] | undefined;
}

/** Channels are looked up anew this often: they are asked for with every message to every peer. */
const LOOKUP_MS = 1_000;

/** The channel whose visibility a kind has. */
export function foldChannelName(kind: FoldKindNumber): string {
  const [, name = ""] = FOLD_KIND_FACTS[kind].channelPrefix.split(":");
  return `fold/${name}`;
}

/** A reach that follows channels and subnets. */
export function createFoldReach(deps: FoldReachDeps): FoldReach {
  const hashes = new Map(
    FOLD_KINDS.map((kind) => [kind, deriveChannelHash(foldChannelName(kind))]),
  );
  let channels = new Map<FoldKindNumber, Channel>();
  let lookedUpAt = -Infinity;
  const channelOf = (kind: FoldKindNumber): Channel | undefined => {
    const now = deps.clock.now();
    if (now - lookedUpAt >= LOOKUP_MS) {
      lookedUpAt = now;
      channels = new Map();
      for (const [kind, hash] of hashes) {
        const visibility = deps.visibilityOf(hash);
        if (visibility === undefined || visibility === "global") continue;
        channels.set(kind, { visibility, targets: deps.targetsOf(hash) });
      }
    }
    return channels.get(kind);
  };
  return {
    mayReach: (kind, publisher, target) => {
      const channel = channelOf(kind);
      if (channel === undefined || publisher === target) return true;
      const local = deps.locate(publisher);
      // Nobody knows where it is from, so it cannot be shown to be meant for here.
      if (local === undefined) return false;
      return isChannelVisible({ ...channel, local, peer: deps.locate(target) });
    },
  };
}
