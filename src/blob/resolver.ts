/**
 * Asks connected peers for the reference to an address, and answers them (`decisions.md` 15).
 *
 * Silence means no, or that the session is dead without our knowing: the transport is asked to find out,
 * and a peer that comes back meanwhile is asked again. The first valid answer of a peer that was asked wins; one of a peer that lied
 * before counts only when nobody else answers.
 */
import { type Clock, equalBytes, NetError, toHex } from "../base/mod.ts";
import { blake3 } from "../core/crypto/mod.ts";
import type { MeshLink, SubprotocolMessage } from "../core/transport/mod.ts";
import type { SilenceReporter } from "./_silence_reporter.ts";
import { type BlobRef, decodeBlobRef } from "./blob_ref.ts";
import {
  RESOLVE_EXTENSIONS_MAX,
  RESOLVE_INTERVAL_MS,
  RESOLVE_LAST_MS,
  RESOLVE_ROUNDS,
  RESOLVES_MAX,
} from "./limits.ts";
import type { TransferCounters } from "./transfer_counters.ts";
import type { BlobSource } from "./transfer_holder.ts";
import {
  decodeResolveMessage,
  encodeResolveMessage,
  fitsResolveAnswer,
  RESOLVE_STREAM_ID,
  type ResolveMessage,
  TRANSFER_SUBPROTOCOL,
} from "./transfer_wire.ts";

/** References that need no tree. */
export type FetchableRef = Exclude<BlobRef, { readonly kind: "tree" }>;

/** What a peer said. */
export type ResolveAnswer =
  | { readonly kind: "ref"; readonly peer: bigint; readonly ref: BlobRef }
  /** The reference is long: it is to be fetched by its own hash. */
  | { readonly kind: "pointer"; readonly peer: bigint; readonly refHash: Uint8Array };

/** What {@linkcode Resolver} needs. */
export interface ResolverDeps {
  readonly link: MeshLink;
  readonly clock: Clock;
  readonly source: BlobSource;
  readonly counters: TransferCounters;
  readonly silences: SilenceReporter;
}

/** Options of {@linkcode Resolver.ask}. */
export interface AskOptions {
  /** Peers not to ask. */
  readonly without: ReadonlySet<bigint>;
  /** False for peers whose answer is only the last resort. */
  readonly isTrusted: (peer: bigint) => boolean;
  readonly signal?: AbortSignal;
}

interface Ask {
  readonly hash: Uint8Array;
  readonly asked: Set<bigint>;
  readonly take: (answer: ResolveAnswer) => void;
}

/**
 * The reference in `bytes`, when it can be the one for `address`: what the hash of a Small, or of the root of a
 * tree, proves at once, a Manifest and any other tree prove only when the whole was hashed.
 */
export function readResolvedRef(address: Uint8Array, bytes: Uint8Array): BlobRef | undefined {
  const decoded = decodeBlobRef(bytes);
  if (!decoded.ok) return undefined;
  const { ref } = decoded;
  return ref.kind === "small" && !equalBytes(ref.hash, address) ? undefined : ref;
}

/** Asks and answers. */
export class Resolver {
  readonly #deps: ResolverDeps;
  readonly #asks = new Map<string, Set<Ask>>();
  #asksOpen = 0;
  #lookupsOpen = 0;

  constructor(deps: ResolverDeps) {
    this.#deps = deps;
  }

  /**
   * Asks all connected peers, some times over; `undefined` when nobody knows.
   *
   * @throws NetError `limit` when too many questions are open; the signal's reason.
   */
  ask(address: Uint8Array, options: AskOptions): Promise<ResolveAnswer | undefined> {
    const { clock, link } = this.#deps;
    const { signal, isTrusted } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#asksOpen >= RESOLVES_MAX) {
      return Promise.reject(
        new NetError("limit", `Cannot look up blob: ${RESOLVES_MAX} look-ups are under way`, {
          next: "try again in a moment",
        }),
      );
    }
    const key = toHex(address);
    return new Promise((resolve, reject) => {
      let lastResort: ResolveAnswer | undefined;
      let cancelTimer = () => {};
      let extensions = 0;
      const end = (settle: () => void) => {
        cancelTimer();
        stopListening();
        signal?.removeEventListener("abort", onAbort);
        if (this.#remove(key, ask)) settle();
      };
      const onAbort = () => end(() => reject(signal?.reason));
      const ask: Ask = {
        hash: address,
        asked: new Set(),
        take: (answer) => {
          if (isTrusted(answer.peer)) end(() => resolve(answer));
          else lastResort ??= answer;
        },
      };
      const round = (number: number) => {
        this.#question(ask, options.without);
        // Without anyone to ask there is nothing to wait for.
        const isLast = number >= RESOLVE_ROUNDS || ask.asked.size === 0;
        const waitMs = ask.asked.size === 0 ? 0 : isLast ? RESOLVE_LAST_MS : RESOLVE_INTERVAL_MS;
        cancelTimer = clock.after(waitMs, () => {
          if (isLast) return end(() => resolve(lastResort));
          if (number === 1) { for (const peer of ask.asked) this.#deps.silences.report(peer); }
          round(number + 1);
        });
      };
      const stopListening = link.onPeerChange((_peer, isConnected) => {
        if (!isConnected || extensions >= RESOLVE_EXTENSIONS_MAX) return;
        extensions += 1;
        cancelTimer();
        round(RESOLVE_ROUNDS - 1);
      });
      this.#add(key, ask);
      signal?.addEventListener("abort", onAbort, { once: true });
      round(1);
    });
  }

  /** Takes a message of the extension; what is no valid one is counted and dropped. */
  onMessage(message: SubprotocolMessage): void {
    const { counters } = this.#deps;
    const decoded = decodeResolveMessage(message.payload);
    if (decoded === undefined) counters.messages_malformed_total += 1;
    else if (decoded.kind === "question") this.#onQuestion(message.from, decoded.hash);
    else this.#onAnswer(message.from, decoded);
  }

  #question(ask: Ask, without: ReadonlySet<bigint>): void {
    const { link, counters } = this.#deps;
    const question = encodeResolveMessage({ kind: "question", hash: ask.hash });
    for (const peer of link.connectedPeers()) {
      if (without.has(peer)) continue;
      if (!link.sendMessage(peer, TRANSFER_SUBPROTOCOL, RESOLVE_STREAM_ID, question)) continue;
      ask.asked.add(peer);
      counters.resolve_questions_sent_total += 1;
    }
  }

  #onQuestion(peer: bigint, address: Uint8Array): void {
    const { counters } = this.#deps;
    counters.resolve_questions_received_total += 1;
    if (this.#lookupsOpen >= RESOLVES_MAX) {
      counters.requests_over_limit_total += 1;
      return;
    }
    this.#lookupsOpen += 1;
    this.#answer(peer, address)
      .catch(() => {
        counters.serves_failed_total += 1;
      })
      .finally(() => {
        this.#lookupsOpen -= 1;
      });
  }

  async #answer(peer: bigint, address: Uint8Array): Promise<void> {
    const { link, source, counters } = this.#deps;
    const ref = await source.readRefOf(address);
    if (ref === undefined) return;
    const answer = encodeResolveMessage(
      fitsResolveAnswer(ref)
        ? { kind: "answer", hash: address, ref }
        : { kind: "pointer", hash: address, refHash: blake3(ref) },
    );
    if (link.sendMessage(peer, TRANSFER_SUBPROTOCOL, RESOLVE_STREAM_ID, answer)) {
      counters.resolve_answers_sent_total += 1;
    }
  }

  #onAnswer(peer: bigint, message: Exclude<ResolveMessage, { readonly kind: "question" }>): void {
    const { counters } = this.#deps;
    const asks = [...this.#asks.get(toHex(message.hash)) ?? []].filter(({ asked }) =>
      asked.has(peer)
    );
    if (asks.length === 0) {
      counters.resolve_answers_unasked_total += 1;
      return;
    }
    let answer: ResolveAnswer;
    if (message.kind === "pointer") {
      answer = { kind: "pointer", peer, refHash: message.refHash };
    } else {
      const ref = readResolvedRef(message.hash, message.ref);
      if (ref === undefined) {
        counters.resolve_answers_invalid_total += 1;
        return;
      }
      answer = { kind: "ref", peer, ref };
    }
    counters.resolve_answers_accepted_total += 1;
    for (const ask of asks) ask.take(answer);
  }

  #add(key: string, ask: Ask): void {
    const asks = this.#asks.get(key) ?? new Set();
    asks.add(ask);
    this.#asks.set(key, asks);
    this.#asksOpen += 1;
  }

  #remove(key: string, ask: Ask): boolean {
    const asks = this.#asks.get(key);
    if (asks === undefined || !asks.delete(ask)) return false;
    if (asks.size === 0) this.#asks.delete(key);
    this.#asksOpen -= 1;
    return true;
  }
}
