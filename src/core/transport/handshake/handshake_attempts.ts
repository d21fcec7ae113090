/** Handshakes this node began and that nobody has answered yet: one per target or address. */
import { type Clock, idToHex, lowHalf, NetError } from "../../../base/mod.ts";
import { type NoiseInitiator, RETRY_EPHEMERAL_BYTES } from "../../crypto/mod.ts";
import { addressKey, isSameAddress } from "../address.ts";
import type { HandshakeResult, HandshakeTarget } from "./handshake_types.ts";
import { ANSWERS_TRIED_MAX, RETRIES_FOLLOWED_MAX } from "../limits.ts";
import type { SocketAddress } from "../types.ts";

/** How an attempt ended; a promise when only the proof is left to wait for. */
type Outcome = HandshakeResult | NetError | Promise<HandshakeResult>;

/** What an attempt is made of. */
export interface AttemptOptions {
  readonly target: HandshakeTarget;
  readonly noise: NoiseInitiator;
  /** Message 1. */
  readonly message: Uint8Array;
}

/** One attempt. */
export class Attempt {
  readonly target: HandshakeTarget;
  readonly noise: NoiseInitiator;
  readonly message: Uint8Array;
  /** Its {@linkcode handshakeName}. */
  readonly ephemeral: string;
  /** Ends it; the first outcome counts. */
  readonly finish: (outcome: Outcome) => void;
  /** Packets that may still be tried as its answer: from where it was sent to, and from elsewhere. */
  #triesDialled = ANSWERS_TRIED_MAX;
  #triesElsewhere = ANSWERS_TRIED_MAX;
  /** RETRYs that may still be followed, by address. */
  readonly #retriesLeft: number[];

  constructor(
    { target, noise, message }: AttemptOptions,
    finish: (outcome: Outcome) => void,
  ) {
    this.target = target;
    this.noise = noise;
    this.message = message;
    this.ephemeral = handshakeName(message);
    this.finish = finish;
    this.#retriesLeft = target.addresses.map(() => RETRIES_FOLLOWED_MAX);
  }

  /** True when another packet from there may be tried as the answer. */
  takeTry(from: SocketAddress): boolean {
    const isDialled = this.#indexOf(from) >= 0;
    if (isDialled) this.#triesDialled -= 1;
    else this.#triesElsewhere -= 1;
    return (isDialled ? this.#triesDialled : this.#triesElsewhere) >= 0;
  }

  /** True when message 1 may be repeated to that address: it was sent there, and not often repeated. */
  takeRetry(to: SocketAddress): boolean {
    const index = this.#indexOf(to);
    const left = this.#retriesLeft[index] ?? 0;
    if (left <= 0) return false;
    this.#retriesLeft[index] = left - 1;
    return true;
  }

  /**
   * Where to reach the peer that answered from `from`: there, if we dialled that address. Otherwise where
   * we did, because what an answer's source says may be a lie that has us send to somebody else.
   */
  routeAddress(from: SocketAddress): SocketAddress {
    const { addresses } = this.target;
    return addresses[Math.max(0, this.#indexOf(from))] ?? from;
  }

  #indexOf(address: SocketAddress): number {
    return this.target.addresses.findIndex((dialled) => isSameAddress(dialled, address));
  }
}

/** All attempts. */
export class HandshakeAttempts {
  readonly #clock: Clock;
  /** Routed attempts by the routing id of their target: one in flight each. */
  readonly #routed = new Map<number, Attempt>();
  /** Direct attempts by address: one in flight each. */
  readonly #direct = new Map<string, Attempt>();
  /** Routed attempts by what a RETRY repeats of them. */
  readonly #byEphemeral = new Map<string, Attempt>();
  /** How many routed attempts went to each address. */
  readonly #dialled = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Begins an attempt, in place of an earlier one to the same target.
   *
   * @param patienceMs How long to wait for message 2.
   * @returns Its result. Rejects with NetError `timeout` without an answer, `conflict` when superseded.
   */
  begin(
    options: AttemptOptions,
    patienceMs: number,
    signal?: AbortSignal,
  ): Promise<HandshakeResult> {
    const { promise, resolve, reject } = Promise.withResolvers<HandshakeResult>();
    const attempt = new Attempt(options, (outcome) => {
      cancel();
      forget();
      if (outcome instanceof Promise) {
        // Message 2 is here; from now on only the proof, which has its own patience, can fail.
        outcome.then(resolve, reject).finally(unlisten);
        return;
      }
      unlisten();
      if (outcome instanceof NetError) reject(outcome);
      else resolve(outcome);
    });
    const forget = this.#add(attempt);
    const cancel = this.#clock.after(patienceMs, () => {
      const node = idToHex(options.target.nodeId);
      attempt.finish(new NetError("timeout", `Cannot reach node ${node}: no answer`));
    });
    const onAbort = () => {
      cancel();
      forget();
      reject(signal?.reason);
    };
    const unlisten = () => signal?.removeEventListener("abort", onAbort);
    signal?.addEventListener("abort", onAbort, { once: true });
    return promise;
  }

  /** The routed attempt to the node with this routing id. */
  routed(routingId: number): Attempt | undefined {
    return this.#routed.get(routingId);
  }

  /** True when an answer to a routed attempt may come from there. */
  isDialled(address: SocketAddress): boolean {
    return this.#dialled.size > 0 && this.#dialled.has(addressKey(address));
  }

  /** The direct attempt to this address. */
  direct(address: SocketAddress): Attempt | undefined {
    return this.#direct.size === 0 ? undefined : this.#direct.get(addressKey(address));
  }

  /** The routed attempt whose ephemeral key begins with these 8 bytes. */
  byEphemeral(start: Uint8Array): Attempt | undefined {
    return this.#byEphemeral.get(start.toHex());
  }

  /** Ends all of them. */
  finishAll(error: NetError): void {
    for (const attempt of [...this.#routed.values(), ...this.#direct.values()]) {
      attempt.finish(error);
    }
  }

  /** The result forgets it again. */
  #add(attempt: Attempt): () => void {
    const { target } = attempt;
    const superseded = new NetError(
      "conflict",
      `Cannot reach node ${idToHex(target.nodeId)}: a newer attempt took over`,
    );
    if (target.form === "routed") {
      const key = lowHalf(target.nodeId);
      this.#routed.get(key)?.finish(superseded);
      this.#routed.set(key, attempt);
      this.#byEphemeral.set(attempt.ephemeral, attempt);
      this.#countDialled(target, 1);
      let isForgotten = false;
      return () => {
        if (!isForgotten) this.#countDialled(target, -1);
        isForgotten = true;
        if (this.#routed.get(key) === attempt) this.#routed.delete(key);
        this.#byEphemeral.delete(attempt.ephemeral);
      };
    }
    const [address] = target.addresses;
    if (address === undefined) throw new TypeError("Cannot shake hands: no address given");
    const key = addressKey(address);
    this.#direct.get(key)?.finish(superseded);
    this.#direct.set(key, attempt);
    return () => {
      if (this.#direct.get(key) === attempt) this.#direct.delete(key);
    };
  }

  #countDialled({ addresses }: HandshakeTarget, change: 1 | -1): void {
    for (const address of addresses) {
      const key = addressKey(address);
      const count = (this.#dialled.get(key) ?? 0) + change;
      if (count > 0) this.#dialled.set(key, count);
      else this.#dialled.delete(key);
    }
  }
}

/**
 * Names the handshake of a message 1 by the start of its ephemeral key, in hex.
 *
 * It is what a RETRY repeats, too. Keys are random: of 2^20 handshakes of one node two have the same name
 * with a chance of 3 in 100 million, and then the second one is tried again with another key.
 */
export function handshakeName(message1: Uint8Array): string {
  return message1.subarray(0, RETRY_EPHEMERAL_BYTES).toHex();
}
