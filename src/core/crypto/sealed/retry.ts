/**
 * Retry tokens: under load a node works only for initiators that receive at the address they send
 * from (`sealed.md` 5).
 *
 * Tokens need no memory per initiator. When to ask for one is the transport's choice.
 */
import {
  type Clock,
  concatBytes,
  equalBytesConstantTime,
  type RandomBytes,
} from "../../../base/mod.ts";
import { blake2sKeyed } from "../hashes.ts";
import { RETRY_TOKEN_BYTES } from "./datagrams.ts";

/** Milliseconds after which the token secret changes; the one before stays good for as long again. */
export const RETRY_SECRET_MS = 120_000;

const SECRET_BYTES = 32;
const EPHEMERAL_BYTES = 32;
/** Longest form of an address that is taken; ours has 19 bytes. */
const ADDRESS_BYTES_MAX = 64;

interface Secret {
  readonly key: Uint8Array;
  /** Number of its period: the token's time bucket. */
  readonly bucket: number;
}

/** What {@linkcode RetryTokens} needs. */
export interface RetryTokensDeps {
  readonly clock: Pick<Clock, "now">;
  readonly random: RandomBytes;
}

/**
 * Issues and verifies the tokens of one node: `KB2S(secret, address || ephemeral || time bucket)`,
 * where the bucket (u64) counts periods of 2 minutes and each period has its own random secret. A
 * token is good for 2 to 4 minutes, for one address and one message 1.
 *
 * @example
 * ```ts
 * import { systemClock, systemRandom } from "../../../base/mod.ts";
 * import { RetryTokens } from "./retry.ts";
 * const tokens = new RetryTokens({ clock: systemClock, random: systemRandom });
 * const [address, ephemeral] = [new Uint8Array(19), new Uint8Array(32)];
 * console.assert(tokens.verify(tokens.issue(address, ephemeral), address, ephemeral));
 * ```
 */
export class RetryTokens {
  readonly #deps: RetryTokensDeps;
  #current: Secret;
  #previous: Secret | undefined;

  constructor(deps: RetryTokensDeps) {
    this.#deps = deps;
    this.#current = this.#createSecret(bucketOf(deps.clock.now()));
  }

  /**
   * A token for the sender of a message 1.
   *
   * @param address Canonical bytes of the address it came from, at most 64.
   * @param ephemeral Ephemeral key of the message, 32 bytes.
   * @throws RangeError when an argument has a wrong length.
   */
  issue(address: Uint8Array, ephemeral: Uint8Array): Uint8Array {
    requireArguments(address, ephemeral);
    this.#rotate();
    return computeToken(this.#current, address, ephemeral);
  }

  /**
   * True when this node issued the token for this address and key in this or the previous period.
   *
   * @throws RangeError when address or key has a wrong length; a wrong token is only false.
   */
  verify(token: Uint8Array, address: Uint8Array, ephemeral: Uint8Array): boolean {
    requireArguments(address, ephemeral);
    if (token.length !== RETRY_TOKEN_BYTES) return false;
    this.#rotate();
    if (equalBytesConstantTime(token, computeToken(this.#current, address, ephemeral))) return true;
    return this.#previous !== undefined &&
      equalBytesConstantTime(token, computeToken(this.#previous, address, ephemeral));
  }

  #rotate(): void {
    const bucket = bucketOf(this.#deps.clock.now());
    if (bucket <= this.#current.bucket) return;
    this.#previous?.key.fill(0);
    this.#previous = bucket === this.#current.bucket + 1 ? this.#current : undefined;
    if (this.#previous === undefined) this.#current.key.fill(0);
    this.#current = this.#createSecret(bucket);
  }

  #createSecret(bucket: number): Secret {
    return { key: this.#deps.random(SECRET_BYTES), bucket };
  }
}

function bucketOf(now: number): number {
  return Math.max(0, Math.floor(now / RETRY_SECRET_MS));
}

function computeToken(secret: Secret, address: Uint8Array, ephemeral: Uint8Array): Uint8Array {
  const bucket = new Uint8Array(8);
  new DataView(bucket.buffer).setBigUint64(0, BigInt(secret.bucket), true);
  // Only the address has no fixed length, and it comes first: no two inputs give the same bytes.
  return blake2sKeyed(secret.key, concatBytes(address, ephemeral, bucket));
}

function requireArguments(address: Uint8Array, ephemeral: Uint8Array): void {
  if (
    address.length > 0 && address.length <= ADDRESS_BYTES_MAX &&
    ephemeral.length === EPHEMERAL_BYTES
  ) return;
  throw new RangeError(
    `Cannot make token: address and key have ${address.length} and ${ephemeral.length} bytes, ` +
      `must be 1 to ${ADDRESS_BYTES_MAX} and ${EPHEMERAL_BYTES}`,
  );
}
