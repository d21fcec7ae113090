/**
 * Transfers between nodes over subprotocol 0x1100: both sides, and the look-up of references
 * (`dataforts.md` 12, `decisions.md` 15).
 *
 * Chunks come back verified; where their bytes go is not decided here.
 */
import { type Clock, idToHex, NetError, type RandomBytes, toHex } from "../base/mod.ts";
import type { MeshLink } from "../core/transport/mod.ts";
import type { Log } from "../observe/mod.ts";
import { ChunkRace } from "./_chunk_race.ts";
import { ClassGate } from "./_class_gate.ts";
import { HolderBook, Reputation } from "./_holder_book.ts";
import { type HolderFinder, HolderSearch } from "./_holder_search.ts";
import { SilenceReporter } from "./_silence_reporter.ts";
import { BLOB_REF_BYTES_MAX, type BlobRef } from "./blob_ref.ts";
import { CHUNK_BYTES, CHUNK_DEADLINE_MS, RECONNECT_PATIENCE_MS } from "./limits.ts";
import type { BandwidthClass, BandwidthOptions } from "./policy/mod.ts";
import { readResolvedRef, Resolver } from "./resolver.ts";
import { createTransferCounters, type TransferCounters } from "./transfer_counters.ts";
import { type BlobSource, TransferHolder } from "./transfer_holder.ts";
import { type GetEntry, TransferRegistry } from "./transfer_registry.ts";
import { type AttemptResult, type ChunkBuffers, TransferRequester } from "./transfer_requester.ts";
import { RESOLVE_STREAM_ID, TRANSFER_SUBPROTOCOL } from "./transfer_wire.ts";
import type { WorkPool } from "./work/mod.ts";

/** What {@linkcode createBlobTransfer} needs. */
export interface BlobTransferDeps {
  readonly link: MeshLink;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  /** What this node serves. */
  readonly source: BlobSource;
  /** Finds holders beyond the connected peers; only these are asked when left out. */
  readonly finder?: HolderFinder;
  /** Who hashes what has to be verified before it is served; all is done in line when left out. */
  readonly work?: WorkPool;
  /** Makes sure that there is a session with a node; see `NatService.reach`. */
  readonly reach?: (peer: bigint, signal?: AbortSignal) => Promise<void>;
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
  /** Where it comes in, and who verifies it; new arrays, in line, when left out. */
  readonly buffers?: ChunkBuffers;
  /** Told the bytes in place; starts again from 0 with a new attempt. */
  readonly onBytes?: (receivedBytes: number) => void;
  /** Hash under which holders may be known as well: that of the blob. */
  readonly blobHash?: Uint8Array;
  /** The get this belongs to; its class counts. */
  readonly get?: GetEntry;
  /** Class of a fetch without a get; foreground when left out. */
  readonly bandwidthClass?: BandwidthClass;
  readonly signal?: AbortSignal;
}

/** A chunk and who sent it. */
export interface FetchedChunk {
  readonly bytes: Uint8Array;
  readonly peer: bigint;
}

/** A reference and who told it. */
export interface ResolvedRef {
  readonly ref: BlobRef;
  readonly peer: bigint;
}

/** Transfers of one node. */
export interface BlobTransfer {
  readonly counters: TransferCounters;
  /** What is under way. */
  readonly registry: TransferRegistry;
  /** Sets the shares of the classes. */
  configure(bandwidth: BandwidthOptions): void;
  /** Sets who finds holders beyond the connected peers. */
  useFinder(finder: HolderFinder): void;
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
  readonly #gate: ClassGate;
  readonly #search: HolderSearch;
  readonly registry: TransferRegistry;
  #stopListening: (() => void) | undefined;

  constructor(deps: BlobTransferDeps) {
    this.#deps = deps;
    const { counters } = this;
    const firstId = BigInt(`0x${toHex(deps.random(6))}`);
    const registry = new TransferRegistry(deps.clock, firstId);
    this.registry = registry;
    this.#gate = new ClassGate(deps.clock);
    this.#search = new HolderSearch({ ...deps, counters });
    this.#holder = new TransferHolder({ ...deps, counters, registry });
    this.#silences = new SilenceReporter(deps);
    this.#resolver = new Resolver({ ...deps, counters, silences: this.#silences });
    const nonce = BigInt(`0x${toHex(deps.random(6))}`);
    this.#requester = new TransferRequester({ ...deps, counters, registry }, nonce);
  }

  configure(bandwidth: BandwidthOptions): void {
    this.#gate.configure(bandwidth);
  }

  useFinder(finder: HolderFinder): void {
    this.#search.finder = finder;
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
    const { book = this.createBook(), peers, signal, get, expectedBytes, onBytes } = options;
    const bandwidthClass = get?.bandwidthClass ?? options.bandwidthClass ?? "foreground";
    const costBytes = expectedBytes ?? CHUNK_BYTES;
    const pausedMs = await this.#gate.take(bandwidthClass, costBytes, signal);
    get?.paused(pausedMs);
    const label = { bandwidthClass, pausedMs, getId: get?.id };
    let mostBytes = 0;
    const race = new ChunkRace({
      clock,
      book,
      attempt: (peer, headerPatienceMs, abort) =>
        this.#requester.attempt({
          peer,
          hash,
          expectedBytes,
          bytesMax: options.bytesMax,
          headerPatienceMs,
          buffers: options.buffers,
          label,
          signal: abort,
          onBytes: (bytes) => {
            race.heard(peer);
            // A second attempt starts again; what is told never goes back while one is ahead.
            if (race.running === 1) mostBytes = bytes;
            else mostBytes = Math.max(mostBytes, bytes);
            onBytes?.(mostBytes);
          },
          onWhole: (bytes) => race.received(peer, bytes),
        }),
      onHedge: () => void (this.counters.attempts_hedged_total += 1),
    });
    const candidates = () =>
      book.order(link.connectedPeers().filter((peer) => peers?.includes(peer) ?? true));
    const deadlineMs = clock.now() + CHUNK_DEADLINE_MS;
    let isFetched = false;
    let isSearched = peers !== undefined;
    try {
      while (clock.now() < deadlineMs) {
        signal?.throwIfAborted();
        if (race.running === 0) {
          const order = candidates();
          const pick = race.pick(order);
          if (pick.kind === "wait") {
            await book.changed(signal);
            continue;
          }
          if (pick.kind === "ask") race.start(pick.peer, expectedBytes);
          else if (!isSearched) {
            isSearched = true;
            const hashes = options.blobHash === undefined ? [hash] : [options.blobHash, hash];
            await this.#search.bring(hashes, order, book, signal);
            continue;
          } else {
            const isHopeful = race.isAnyoneAway(order) || book.isHolderAway(order);
            if (!isHopeful || !await this.#peerCame(order, signal)) break;
            continue;
          }
        }
        const { peer, result } = await race.next(expectedBytes, candidates, signal);
        if (result.kind === "chunk") {
          isFetched = true;
          for (const late of race.overtaken()) this.#silences.report(late);
          book.noteHolder(peer);
          return { bytes: result.bytes, peer };
        }
        this.#learn(peer, hash, result, book);
      }
      throw race.toError(hash);
    } finally {
      race.stop();
      if (!isFetched) this.#gate.refund(costBytes);
    }
  }

  async resolve(
    address: Uint8Array,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<ResolvedRef | undefined> {
    const { signal } = options;
    const without = new Set<bigint>();
    let isSearched = false;
    for (let i = 0; i < POINTERS_MAX + 1; i++) {
      const answer = await this.#resolver.ask(address, {
        without,
        isTrusted: (peer) => this.#reputation.strikes(peer) === 0,
        signal,
      });
      if (answer === undefined) {
        if (isSearched) return undefined;
        isSearched = true;
        const found = await this.#search.bring(
          [address],
          this.#deps.link.connectedPeers(),
          undefined,
          signal,
        );
        if (found === 0) return undefined;
        continue;
      }
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
  ): Promise<BlobRef | undefined> {
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
