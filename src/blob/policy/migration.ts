/**
 * Gravity (`dataforts.md` 16): what peers read much is pulled here, as far as this node's policy lets it. A
 * tick plans the pulls, the hottest first, each with everybody who has the chunk, so that one holder that
 * fails does not end it.
 *
 * A node that sheds pulls nothing: the two would move the same bytes back and forth.
 */
import { parseBlobHeat } from "./heat.ts";
import {
  HEAT_TAGS_PER_ANNOUNCEMENT_MAX,
  MIGRATION_PEERS_MAX,
  MIGRATIONS_PER_PEER_MAX,
} from "./limits.ts";
import type { MoveLedger } from "./move_ledger.ts";
import { type DataScope, narrowerScope } from "./scope.ts";
import { type DataPeer, type LocalData, type MigrateRefusal, refuseMigration } from "./verdicts.ts";

/** A peer and the tags of its announcement. */
export interface MigrationPeer extends DataPeer {
  readonly nodeId: bigint;
  readonly tags: Iterable<string>;
  /** Above 0 to 1: how much what it reads counts here (row 47); 1 when left out. */
  readonly nearness?: number;
}

/** What a tick looks at. */
export interface MigrationInput {
  readonly local: LocalData;
  readonly isOverflowActive: boolean;
  readonly peers: Iterable<MigrationPeer>;
  /** Size of a chunk by its hash in hex, from the references this node knows. */
  readonly sizeOf: (hex: string) => number | undefined;
  readonly isHere: (hex: string) => boolean;
}

/** One pull to be made. */
export interface MigrationPull {
  readonly hex: string;
  readonly sizeBytes: number;
  /** To be tried in order, the one that reads it most first. */
  readonly sources: readonly bigint[];
}

/** What a tick came to. */
export interface MigrationTick {
  readonly pulls: readonly MigrationPull[];
  readonly refused: Readonly<Record<MigrateRefusal, number>>;
  readonly unknownSize: number;
  /** Chunks of peers that had their share of this tick. */
  readonly overBudget: number;
  /** Chunks that rest, or for which this hour has no move left. */
  readonly held: number;
}

interface Claim {
  readonly hex: string;
  readonly rate: number;
  readonly peer: MigrationPeer;
}

/** Plans one tick; the ledger has counted the pulls. */
export function tickMigration(
  input: MigrationInput,
  ledger: MoveLedger,
  nowMs: number,
): MigrationTick {
  const refused: Record<MigrateRefusal, number> = {
    no_storage: 0,
    gravity_disabled: 0,
    proximity_zero: 0,
    unhealthy: 0,
    scope_mismatch: 0,
    insufficient_disk: 0,
  };
  const counts = { unknownSize: 0, overBudget: 0, held: 0 };
  const pulls: MigrationPull[] = [];
  const result = { pulls, refused, ...counts };
  if (input.isOverflowActive) return result;
  const shares = new Map<bigint, number>();
  let { roomBytes = Infinity } = input.local;
  for (const [hex, claims] of claimsByChunk(input)) {
    const sizeBytes = input.sizeOf(hex);
    if (sizeBytes === undefined) {
      result.unknownSize += 1;
      continue;
    }
    const floor = scopeFloor(claims);
    const local = { ...input.local, roomBytes };
    const reasons = claims.map(({ peer }) => refuseMigration(local, peer, sizeBytes, floor));
    const sources = claims.filter((_, i) => reasons[i] === undefined)
      .map(({ peer }) => peer.nodeId);
    const [hottest] = sources;
    if (hottest === undefined) {
      const [reason] = reasons;
      if (reason !== undefined) refused[reason] += 1;
      continue;
    }
    const share = (shares.get(hottest) ?? 0) + 1;
    if (share > MIGRATIONS_PER_PEER_MAX) result.overBudget += 1;
    else if (!ledger.take(hex, nowMs)) result.held += 1;
    else {
      shares.set(hottest, share);
      roomBytes -= sizeBytes;
      pulls.push({ hex, sizeBytes, sources });
    }
  }
  return result;
}

/** Chunks that are not here, the hottest first, each with who reads it. */
function claimsByChunk(input: MigrationInput): (readonly [string, readonly Claim[]])[] {
  const chunks = new Map<string, Claim[]>();
  let peers = 0;
  for (const peer of input.peers) {
    if (++peers > MIGRATION_PEERS_MAX) break;
    let tags = 0;
    const seen = new Set<string>();
    for (const tag of peer.tags) {
      const heat = parseBlobHeat(tag);
      if (heat === undefined || seen.has(heat.hex)) continue;
      if (++tags > HEAT_TAGS_PER_ANNOUNCEMENT_MAX) break;
      seen.add(heat.hex);
      // What nobody reads any more is announced as zero until its tag is withdrawn.
      if (heat.rate <= 0 || input.isHere(heat.hex)) continue;
      const claims = chunks.get(heat.hex) ?? [];
      const rate = Math.min(1, heat.rate) * (peer.nearness ?? 1);
      claims.push({ hex: heat.hex, rate, peer });
      chunks.set(heat.hex, claims);
    }
  }
  for (const claims of chunks.values()) {
    claims.sort((a, b) => b.rate - a.rate || (a.peer.nodeId < b.peer.nodeId ? -1 : 1));
  }
  const heat = (claims: readonly Claim[]) => claims[0]?.rate ?? 0;
  return [...chunks].sort(([a, left], [b, right]) => heat(right) - heat(left) || (a < b ? -1 : 1));
}

/** The narrowest scope that an advertiser with gravity gave the chunk. */
function scopeFloor(claims: readonly Claim[]): DataScope | undefined {
  return claims.map(({ peer }) => peer.claims.gravity)
    .filter(({ isEnabled }) => isEnabled)
    .map(({ scope }) => scope)
    .reduce<DataScope | undefined>((a, b) => a === undefined ? b : narrowerScope(a, b), undefined);
}
