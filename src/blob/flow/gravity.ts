/**
 * Gravity (`dataforts.md` 16): what peers near this node read much is pulled here, from whoever has it, and then
 * advertised like everything that is here (row 37). What is to be pulled is decided by `tickMigration`.
 */
import { type Clock, fromHex, toHex } from "../../base/mod.ts";
import { HASH_BYTES } from "../limits.ts";
import {
  type DataPlace,
  type DataPolicy,
  type LocalData,
  type MigrateRefusal,
  type MigrationPeer,
  type MigrationPull,
  type MoveLedger,
  parseBlobHeat,
  readDataClaims,
  tickMigration,
} from "../policy/mod.ts";
import { HOT_CHUNKS_MAX } from "./limits.ts";
import { nearnessOf, placeOf } from "./place.ts";
import type { FlowMesh, FlowStore } from "./ports.ts";
import type { PullQueue } from "./pull_queue.ts";

/** What {@linkcode Gravity} needs. */
export interface GravityDeps {
  readonly clock: Clock;
  readonly store: FlowStore;
  readonly mesh: FlowMesh;
  readonly pulls: PullQueue;
  readonly ledger: MoveLedger;
  readonly policy: () => DataPolicy;
  /** What is true of this node now; room counts up to the low mark. */
  readonly local: () => LocalData;
  readonly isShedding: () => boolean;
  /** Sizes beside those that the store knows. */
  readonly sizeOf: (hex: string) => number | undefined;
  readonly onPrefetched: (isOk: boolean) => void;
}

/** Counters of the ticks. */
export interface GravityCounters {
  ticks: number;
  admitted: number;
  pulled: number;
  failed: number;
  unknownSize: number;
  overBudget: number;
  held: number;
  readonly refused: Record<MigrateRefusal, number>;
}

/** Pulls what is read nearby. */
export class Gravity {
  readonly counters: GravityCounters = {
    ticks: 0,
    admitted: 0,
    pulled: 0,
    failed: 0,
    unknownSize: 0,
    overBudget: 0,
    held: 0,
    refused: {
      no_storage: 0,
      gravity_disabled: 0,
      proximity_zero: 0,
      unhealthy: 0,
      scope_mismatch: 0,
      insufficient_disk: 0,
    },
  };
  readonly #deps: GravityDeps;
  #isBusy = false;

  constructor(deps: GravityDeps) {
    this.#deps = deps;
  }

  /** One look at the peers; resolves when its pulls are over. One at a time. */
  async tick(signal: AbortSignal): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      const pulls = await this.#plan();
      if (signal.aborted) return;
      await Promise.all(pulls.map((pull) => this.#pull(pull, signal)));
    } finally {
      this.#isBusy = false;
    }
  }

  async #plan(): Promise<readonly MigrationPull[]> {
    const { clock, store, pulls, ledger, local, isShedding, sizeOf } = this.#deps;
    const mine = local();
    const peers = this.#peers(mine.place ?? {});
    const hashes = hotChunks(peers);
    this.counters.ticks += 1;
    if (hashes.length === 0) return [];
    const here = new Set((await store.present(hashes)).map(toHex));
    const sizes = await store.sizes(hashes);
    const nowMs = clock.now();
    const tick = tickMigration(
      {
        local: mine,
        isOverflowActive: isShedding(),
        peers,
        sizeOf: (hex) => sizes.get(hex) ?? sizeOf(hex),
        isHere: (hex) => here.has(hex) || pulls.isBusy(hex, nowMs),
      },
      ledger,
      nowMs,
    );
    this.counters.admitted += tick.pulls.length;
    this.counters.unknownSize += tick.unknownSize;
    this.counters.overBudget += tick.overBudget;
    this.counters.held += tick.held;
    for (const reason of Object.keys(tick.refused) as MigrateRefusal[]) {
      this.counters.refused[reason] += tick.refused[reason];
    }
    return tick.pulls;
  }

  async #pull({ hex, sizeBytes, sources }: MigrationPull, signal: AbortSignal): Promise<void> {
    const { pulls, ledger, onPrefetched } = this.#deps;
    const hash = fromHex(hex, HASH_BYTES);
    if (hash === undefined) return;
    const outcome = await pulls.pull({ hash, sizeBytes, sources, signal });
    const isOk = outcome === "stored" || outcome === "present";
    this.counters[isOk ? "pulled" : "failed"] += 1;
    onPrefetched(isOk);
    // Not done: another tick may try it again, when the queue lets it (row 51).
    if (!isOk) ledger.forgive(hex);
  }

  #peers(place: DataPlace): MigrationPeer[] {
    const { mesh, policy } = this.#deps;
    const rttMaxMs = policy().greedy.proximityMaxRttMs;
    const peers: MigrationPeer[] = [];
    for (const { nodeId, tags, rttMs } of mesh.peers()) {
      const hot = tags.filter((tag) => tag.startsWith("heat:blob:"));
      if (hot.length === 0) continue;
      const theirs = placeOf(tags);
      const nearness = nearnessOf(place, theirs, rttMs, rttMaxMs);
      peers.push({ nodeId, claims: readDataClaims(tags), place: theirs, tags: hot, nearness });
    }
    return peers;
  }
}

function hotChunks(peers: readonly MigrationPeer[]): Uint8Array[] {
  const hashes = new Map<string, Uint8Array>();
  for (const { tags } of peers) {
    for (const tag of tags) {
      const hex = parseBlobHeat(tag)?.hex;
      const hash = hex === undefined ? undefined : fromHex(hex, HASH_BYTES);
      if (hex !== undefined && hash !== undefined) hashes.set(hex, hash);
      if (hashes.size >= HOT_CHUNKS_MAX) return [...hashes.values()];
    }
  }
  return [...hashes.values()];
}
