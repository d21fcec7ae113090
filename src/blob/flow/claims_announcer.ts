/**
 * Keeps what this node says of its store current (`dataforts.md` 15) without wearing others out: free space is
 * told in steps of a sixteenth and once a minute, everything else at once.
 */
import { type DataClaims, dataClaimTags } from "../policy/mod.ts";
import type { SayTags } from "./heat_announcer.ts";
import { ROOM_GAP_MS } from "./limits.ts";

/** Part of the free space whose change is worth telling. */
const STEP = 1 / 16;

/** Tells the claims of one node. */
export class ClaimsAnnouncer {
  readonly #say: SayTags;
  #told: DataClaims | undefined;
  #toldAtMs = -Infinity;

  constructor(say: SayTags) {
    this.#say = say;
  }

  /** What others were told; `undefined` before. */
  get told(): DataClaims | undefined {
    return this.#told;
  }

  /** Tells the claims if they differ enough; false when they could not be told. */
  tell(claims: DataClaims, nowMs: number): boolean {
    const told = this.#told;
    if (told !== undefined) {
      const sameRoom = { ...claims, diskFreeGib: told.diskFreeGib };
      const isSameElse = isSame(sameRoom, told);
      const isDue = nowMs - this.#toldAtMs >= ROOM_GAP_MS &&
        isWorthTelling(told.diskFreeGib, claims.diskFreeGib);
      if (isSameElse && !isDue) return true;
    }
    if (!this.#say(dataClaimTags(claims))) return false;
    this.#told = claims;
    this.#toldAtMs = nowMs;
    return true;
  }
}

function isSame(a: DataClaims, b: DataClaims): boolean {
  return dataClaimTags(a).join("\n") === dataClaimTags(b).join("\n");
}

function isWorthTelling(before: number, now: number): boolean {
  return (before === 0) !== (now === 0) || Math.abs(now - before) >= Math.max(1, before * STEP);
}
