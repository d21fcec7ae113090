/**
 * Taking tokens back: a floor of generations per issuer (`identity-and-channels.md` 5).
 *
 * Tokens of an issuer below its floor are refused wherever they stand in a chain. To go on, the issuer
 * issues at a higher generation. Floors only rise; keeping them on disk is `revocation_file.ts`.
 */
import { NetError } from "../../base/mod.ts";
import {
  ENTITY_ID_BYTES,
  isIssuerGeneration,
  ISSUER_GENERATION_MAX,
} from "../../core/crypto/mod.ts";
import { REVOKED_ISSUERS_MAX } from "./limits.ts";
import type { RevocationCheck } from "./verify_chain.ts";

/** Generations of an issuer below this are taken back. */
export interface RevocationFloor {
  /** Entity id, 32 bytes. */
  readonly issuer: Uint8Array;
  readonly floor: number;
}

/**
 * The floors that a node knows.
 *
 * @example
 * ```ts
 * import { RevocationRegistry } from "./revocation_registry.ts";
 * const registry = new RevocationRegistry();
 * const issuer = new Uint8Array(32);
 * registry.revokeBelow(issuer, 3);
 * console.assert(registry.isRevoked(issuer, 2) && !registry.isRevoked(issuer, 3));
 * console.assert(registry.revokeBelow(issuer, 1) === 3);
 * ```
 */
export class RevocationRegistry implements RevocationCheck {
  /** Tokens refused because the generation of their issuer was taken back; zero in steady state. */
  readonly counters = { token_dropped_by_generation: 0 };
  readonly #floors = new Map<string, number>();
  #revision = 0;

  /** Grows with every floor that is raised, so that verdicts can be kept until then. */
  get revision(): number {
    return this.#revision;
  }

  /** Issuers with a floor. */
  get size(): number {
    return this.#floors.size;
  }

  /** The floor of an issuer, 0 when it has none. */
  floor(issuer: Uint8Array): number {
    return this.#floors.size === 0 ? 0 : this.#floors.get(issuer.toHex()) ?? 0;
  }

  /** True when the token is to be refused; each time is counted. */
  isRevoked(issuer: Uint8Array, issuerGeneration: number): boolean {
    if (issuerGeneration >= this.floor(issuer)) return false;
    this.counters.token_dropped_by_generation += 1;
    return true;
  }

  /**
   * Raises the floor of an issuer; a lower one changes nothing.
   *
   * @returns The floor that holds now.
   * @throws RangeError when the issuer is not 32 bytes long or the floor no unsigned 32-bit number.
   * @throws NetError `limit` when too many issuers have a floor.
   */
  revokeBelow(issuer: Uint8Array, floor: number): number {
    if (issuer.length !== ENTITY_ID_BYTES) {
      throw new RangeError(
        `Cannot revoke: issuer length is ${issuer.length}, must be ${ENTITY_ID_BYTES}`,
      );
    }
    if (!isIssuerGeneration(floor)) {
      throw new RangeError(`Cannot revoke: floor is ${floor}, must be 0..${ISSUER_GENERATION_MAX}`);
    }
    const key = issuer.toHex();
    const current = this.#floors.get(key) ?? 0;
    if (floor <= current) return current;
    if (current === 0 && this.#floors.size >= REVOKED_ISSUERS_MAX) {
      throw new NetError(
        "limit",
        `Cannot revoke: ${this.#floors.size} issuers have a floor, must be at most ` +
          `${REVOKED_ISSUERS_MAX}`,
        { next: "remove issuers that nobody trusts any more from the revocations file" },
      );
    }
    this.#floors.set(key, floor);
    this.#revision += 1;
    return floor;
  }

  /** Takes everything of an issuer's first generation back: the floor becomes at least 1. */
  revoke(issuer: Uint8Array): number {
    return this.revokeBelow(issuer, 1);
  }

  /** All floors above 0, issuers in the order of their bytes. */
  floors(): readonly RevocationFloor[] {
    return [...this.#floors].sort(([left], [right]) => left < right ? -1 : 1)
      .map(([hex, floor]) => ({ issuer: Uint8Array.fromHex(hex), floor }));
  }
}
