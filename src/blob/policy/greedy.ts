/**
 * Greedy caching (`dataforts.md` 17): a node keeps events of channels that pass by. Each event is put through
 * the rules in order; the first that says no is counted. What weighs in when the cache is full is heat, times
 * how near the publisher is in scope, times how near it is on the wire.
 */
import type { BandwidthBucket } from "./bandwidth.ts";
import type { DataPolicy } from "./data_policy.ts";
import type { WarmCache } from "./warm_cache.ts";

/** Reasons against an event, in the order they are looked at. */
export const GREEDY_REFUSALS = [
  "scope",
  /** The publisher is too far away; the reference has no such rule and no such counter. */
  "proximity",
  "intent",
  "colocation",
  "capacity",
  "bandwidth",
] as const;

/** One of them. */
export type GreedyRefusal = typeof GREEDY_REFUSALS[number];

/** An event that passes by, and what is known of its chain's publisher. */
export interface GreedyEvent {
  /** Name of the entry in the cache. */
  readonly channel: string;
  readonly payloadBytes: number;
  /** Labels of the chain's `scope:` tags. */
  readonly labels: readonly string[];
  readonly intent?: string;
  /** Origin hashes in hex. */
  readonly colocateWith?: string;
  readonly colocateWithStrict?: string;
  /** Round trip to the publisher; `undefined` when it was not measured. */
  readonly rttMs?: number;
}

/** What the rules ask for. */
export interface GreedyView {
  /** Does the node have what the intent needs? `undefined` for intents nobody registered. */
  readonly satisfiesIntent: (intent: string) => boolean | undefined;
  /** Names of all registered intents. */
  readonly intents: readonly string[];
  readonly isChainCached: (originHex: string) => boolean;
}

/** What became of an event. */
export type GreedyVerdict =
  | {
    readonly isAdmitted: true;
    /** The chain is announced, with tip 0. */
    readonly isNew: boolean;
    /** Channels that go: their holder tags are withdrawn, their heat and references dropped. */
    readonly evicted: readonly string[];
  }
  | { readonly isAdmitted: false; readonly reason: GreedyRefusal };

/** Decides on an event; when it is admitted, the cache and the bucket have counted it. */
export function observeGreedy(
  event: GreedyEvent,
  rule: DataPolicy["greedy"],
  view: GreedyView,
  stock: { readonly cache: WarmCache; readonly bucket: BandwidthBucket },
  nowMs: number,
): GreedyVerdict {
  const reason = refuseGreedy(event, rule, view);
  if (reason !== undefined) return { isAdmitted: false, reason };
  // Budget is asked for first and given back: a full cache must not cost what it did not use.
  const { cache, bucket } = stock;
  const { payloadBytes } = event;
  if (!bucket.grant("foreground", payloadBytes, nowMs)) {
    return { isAdmitted: false, reason: "bandwidth" };
  }
  const admission = cache.admit(event.channel, payloadBytes, nowMs);
  if (admission.isAdmitted) return admission;
  bucket.refund(payloadBytes, nowMs);
  return { isAdmitted: false, reason: "capacity" };
}

/** The first rule against an event, budget and room aside. */
export function refuseGreedy(
  event: GreedyEvent,
  rule: DataPolicy["greedy"],
  view: GreedyView,
): GreedyRefusal | undefined {
  const isLabelled = rule.scopes.length === 0 ||
    event.labels.some((label) => rule.scopes.includes(label));
  if (!rule.isEnabled || rule.proximity === 0 || !isLabelled) return "scope";
  if ((event.rttMs ?? 0) > rule.proximityMaxRttMs) return "proximity";
  if (!isIntentMet(event, rule, view)) return "intent";
  return isNearEnough(event, rule, view) ? undefined : "colocation";
}

/**
 * What an entry weighs in the cache.
 *
 * @param heat Rate, at least 0.
 * @param scopeShare 1 for the same zone, less for farther ones.
 * @param rttMs `undefined` when it was not measured: then as near as can be.
 */
export function greedyWarmth(
  heat: number,
  scopeShare: number,
  rttMs: number | undefined,
  proximityMaxRttMs: number,
): number {
  return heat * scopeShare / (1 + (rttMs ?? 0) / proximityMaxRttMs);
}

function isIntentMet(event: GreedyEvent, rule: DataPolicy["greedy"], view: GreedyView): boolean {
  if (rule.intentMatch === "disabled") return true;
  if (rule.intentMatch === "strict") {
    return event.intent === undefined || (view.satisfiesIntent(event.intent) ?? true);
  }
  return view.intents.length === 0 ||
    view.intents.some((intent) => view.satisfiesIntent(intent) === true);
}

function isNearEnough(event: GreedyEvent, rule: DataPolicy["greedy"], view: GreedyView): boolean {
  if (rule.colocation === "ignore") return true;
  const { colocateWith, colocateWithStrict } = event;
  if (colocateWithStrict !== undefined && !view.isChainCached(colocateWithStrict)) return false;
  return rule.colocation === "soft" || colocateWith === undefined ||
    view.isChainCached(colocateWith);
}
