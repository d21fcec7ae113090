/**
 * Transfers between nodes over subprotocol 0x1100: both sides, and the look-up of references
 * (`dataforts.md` 12, `decisions.md` 15).
 *
 * Chunks come back verified; where their bytes go is not decided here.
 */
import { type Clock, idToHex, NetError, type RandomBytes, toHex } from "../base/mod.ts";
import type { MeshLink } from "../core/transport/mod.ts";
import type { Log } from "../observe/mod.ts";
import { HolderBook, Reputation } from "./_holder_book.ts";
import { SilenceReporter } from "./_silence_reporter.ts";
import { BLOB_REF_BYTES_MAX } from "./blob_ref.ts";
import { CHUNK_DEADLINE_MS, HEADER_PATIENCE_MS, RECONNECT_PATIENCE_MS } from "./limits.ts";
import { type FetchableRef, readResolvedRef, Resolver } from "./resolver.ts";
import { createTransferCounters, type TransferCounters } from "./transfer_counters.ts";
import { type BlobSource, TransferHolder } from "./transfer_holder.ts";
import { type AttemptResult, TransferRequester } from "./transfer_requester.ts";
import { RESOLVE_STREAM_ID, TRANSFER_SUBPROTOCOL } from "./transfer_wire.ts";

/** What {@linkcode createBlobTransfer} needs. */
export interface BlobTransferDeps {
  readonly link: MeshLink;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  /** What this node serves. */
  readonly source: BlobSource;
}

/** Options of {@linkcode BlobTransfer.fetchChunk}. */
export interface FetchChunkOptions {
  /** What is known of the peers; chunks of one blob share it. */
  readonly book?: HolderBook;
  /** Asks only these. */
  readonly peers?: readonly bigint[];
  /** What the chunk must measure, if known. */
  readonly expectedBytes?: number;
  /** The most it may measure; 16 MiB when left out. */
  readonly bytesMax?: number;
  /** Told the bytes in place; starts again from 0 with a new attempt. */
  readonly onBytes?: (receivedBytes: number) => void;
  readonly signal?: AbortSignal;
}

/** A chunk and who sent it. */
export interface FetchedChunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly peer: bigint;
}

/** A reference and who told it. */
export interface ResolvedRef {
  readonly ref: FetchableRef;
  readonly peer: bigint;
}

/** Transfers of one node. */
export interface BlobTransfer {
  readonly counters: TransferCounters;
  /** What is known of peers at the start of a get. */
  createBook(): HolderBook;
  /** Takes requests from now on. */
  start(): void;
  /** Takes none any more and gives up what is served; idempotent. */
  stop(): void;
  /**
   * Fetches a chunk from whichever peer has it.
   *
   * @throws NetError `not_found` when every peer says so or there is none, `integrity` when those who
   * answered lied, `timeout` or `unreachable` when they stopped answering; the signal's reason.
   */
  fetchChunk(hash: Uint8Array, options?: FetchChunkOptions): Promise<FetchedChunk>;
  /** The reference to `address` from whichever peer knows it; `undefined` when nobody does. */
  resolve(
    address: Uint8Array,
    options?: { readonly signal?: AbortSignal },
  ): Promise<ResolvedRef | undefined>;
}

/** Peers whose pointer to a long reference is tried. */
const POINTERS_MAX = 3;

/** Sessions with one peer that may be lost during one chunk before attempts count. */
const LOSSES_MAX = 4;

/** Creates the transfers of a node; `start` takes requests. */
export function createBlobTransfer(deps: BlobTransferDeps): BlobTransfer {
  return new MeshBlobTransfer(deps);
}

class MeshBlobTransfer implements BlobTransfer {
  readonly counters = createTransferCounters();
  readonly #deps: BlobTransferDeps;
  readonly #holder: TransferHolder;
  readonly #requester: TransferRequester;
  readonly #resolver: Resolver;
  readonly #silences: SilenceReporter;
  readonly #reputation = new Reputation();
  #stopListening: (() => void) | undefined;

  constructor(deps: BlobTransferDeps) {
    this.#deps = deps;
    const { counters } = this;
    this.#holder = new TransferHolder({ ...deps, counters });
    this.#silences = new SilenceReporter(deps);
    this.#resolver = new Resolver({ ...deps, counters, silences: this.#silences });
    const nonce = BigInt(`0x${toHex(deps.random(6))}`);
    this.#requester = new TransferRequester({ ...deps, counters }, nonce);
  }

  createBook(): HolderBook {
    return new HolderBook(this.#reputation);
  }

  start(): void {
    this.#stopListening ??= this.#deps.link.onMessage(TRANSFER_SUBPROTOCOL, (message) => {
      if (message.streamId === RESOLVE_STREAM_ID) this.#resolver.onMessage(message);
      else this.#holder.onRequest(message);
    });
  }

  stop(): void {
    this.#stopListening?.();
    this.#stopListening = undefined;
    this.#holder.stop();
  }

  async fetchChunk(hash: Uint8Array, options: FetchChunkOptions = {}): Promise<FetchedChunk> {
    const { link, clock } = this.#deps;
    const { book = this.createBook(), peers, signal } = options;
    const deadlineMs = clock.now() + CHUNK_DEADLINE_MS;
    const round = new FetchRound();
    while (clock.now() < deadlineMs) {
      const connected = link.connectedPeers().filter((peer) => peers?.includes(peer) ?? true);
      const peer = round.next(book.order(connected));
      if (peer === undefined) {
        const isHopeful = round.isAnyoneAway(connected) || book.isHolderAway(connected);
        if (!isHopeful || !await this.#peerCame(connected, signal)) break;
        continue;
      }
      const result = await this.#requester.attempt({
        ...options,
        peer,
        hash,
        headerPatienceMs: round.patienceMs(peer),
      });
      round.note(peer, result.kind);
      if (result.kind === "chunk") {
        book.noteHolder(peer);
        return { bytes: result.bytes, peer };
      }
      this.#learn(peer, hash, result, book);
    }
    throw round.toError(hash);
  }

  async resolve(
    address: Uint8Array,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<ResolvedRef | undefined> {
    const { signal } = options;
    const without = new Set<bigint>();
    for (let i = 0; i < POINTERS_MAX; i++) {
      const answer = await this.#resolver.ask(address, {
        without,
        isTrusted: (peer) => this.#reputation.strikes(peer) === 0,
        signal,
      });
      if (answer === undefined) return undefined;
      const { peer } = answer;
      if (answer.kind === "ref") return { ref: answer.ref, peer };
      const ref = await this.#followPointer(address, answer.refHash, peer, signal);
      if (ref !== undefined) return { ref, peer };
      without.add(peer);
    }
    return undefined;
  }

  async #followPointer(
    address: Uint8Array,
    refHash: Uint8Array,
    peer: bigint,
    signal: AbortSignal | undefined,
  ): Promise<FetchableRef | undefined> {
    try {
      const options = { peers: [peer], bytesMax: BLOB_REF_BYTES_MAX, signal };
      const { bytes } = await this.fetchChunk(refHash, options);
      const ref = readResolvedRef(address, bytes);
      if (ref === undefined) this.counters.resolve_answers_invalid_total += 1;
      return ref;
    } catch (error) {
      // The peer does not have what it pointed at; another one may.
      if (error instanceof NetError) return undefined;
      throw error;
    }
  }

  #learn(peer: bigint, hash: Uint8Array, result: AttemptResult, book: HolderBook): void {
    const { log } = this.#deps;
    if (result.kind === "not_found") book.noteLacking(peer);
    if (result.kind === "silent" || result.kind === "stalled") this.#silences.report(peer);
    if (result.kind === "wrong_hash" || result.kind === "malformed") {
      book.noteLie(peer);
      log.warn("chunk_refused", { peer: idToHex(peer), hash: toHex(hash), reason: result.kind });
    }
  }

  /** Waits until a peer beyond `connected` has a session; false when none comes. */
  #peerCame(connected: readonly bigint[], signal: AbortSignal | undefined): Promise<boolean> {
    const { link, clock } = this.#deps;
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        cancelTimer();
        stopListening();
        signal?.removeEventListener("abort", onAbort);
        settle();
      };
      const onAbort = () => end(() => reject(signal?.reason));
      const cancelTimer = clock.after(RECONNECT_PATIENCE_MS, () => end(() => resolve(false)));
      const stopListening = link.onPeerChange((peer, isConnected) => {
        if (isConnected && !connected.includes(peer)) end(() => resolve(true));
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }
}

/** The attempts for one chunk. */
class FetchRound {
  readonly #attempts = new Map<bigint, number>();
  /** Sessions lost under way. */
  readonly #losses = new Map<bigint, number>();
  /** Peers that need not be asked again. */
  readonly #done = new Set<bigint>();
  readonly #kinds = new Set<AttemptResult["kind"]>();
  /** Peers that stopped answering and may come back. */
  readonly #away = new Set<bigint>();
  #liar: bigint | undefined;

  /** Whom to ask now: the least tried, and of those the first. */
  next(order: readonly bigint[]): bigint | undefined {
    let best: bigint | undefined;
    let bestAttempts = HEADER_PATIENCE_MS.length;
    for (const peer of order) {
      const attempts = this.#attempts.get(peer) ?? 0;
      if (this.#done.has(peer) || attempts >= bestAttempts) continue;
      best = peer;
      bestAttempts = attempts;
    }
    return best;
  }

  patienceMs(peer: bigint): number {
    return HEADER_PATIENCE_MS[this.#attempts.get(peer) ?? 0] ?? HEADER_PATIENCE_MS[0] ?? 0;
  }

  note(peer: bigint, kind: AttemptResult["kind"]): void {
    const losses = (this.#losses.get(peer) ?? 0) + (kind === "disconnected" ? 1 : 0);
    this.#losses.set(peer, losses);
    // A new session is a new chance, but not for a peer that comes and goes.
    const isFresh = kind === "disconnected" && losses <= LOSSES_MAX;
    this.#attempts.set(peer, isFresh ? 0 : (this.#attempts.get(peer) ?? 0) + 1);
    this.#kinds.add(kind);
    if (kind === "wrong_hash" || kind === "malformed") this.#liar = peer;
    if (kind === "not_found" || kind === "wrong_hash" || kind === "malformed") this.#done.add(peer);
    else this.#away.add(peer);
  }

  isAnyoneAway(connected: readonly bigint[]): boolean {
    for (const peer of this.#away) if (!connected.includes(peer)) return true;
    return false;
  }

  toError(hash: Uint8Array): NetError {
    const what = `Cannot fetch chunk ${toHex(hash).slice(0, 16)}…`;
    if (this.#liar !== undefined) {
      const peer = idToHex(this.#liar);
      return new NetError("integrity", `${what}: node ${peer} sent other bytes`, {
        next: `disconnect node ${peer}, and connect to another one that holds the blob`,
        data: { peer },
      });
    }
    const has = (kind: AttemptResult["kind"]) => this.#kinds.has(kind);
    if (has("silent") || has("stalled")) {
      return new NetError("timeout", `${what}: the nodes asked did not answer in time`, {
        next: "see net node peers, then repeat the command",
      });
    }
    if (has("disconnected") || has("reset")) {
      return new NetError("unreachable", `${what}: the connection to its holder was lost`, {
        next: "see net node peers, then repeat the command",
      });
    }
    return new NetError("not_found", `${what}: no connected node has it`, {
      next: "connect to a node that holds it with net node start --join",
    });
  }
}
