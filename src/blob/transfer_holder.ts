/**
 * The holder's side of transfers: answers requests for chunks (`dataforts.md` 12).
 *
 * The header goes out at once, so that a waiting requester knows it was heard; the chunk is read only
 * when its turn comes. Knowing the hash is the only authority asked for.
 */
import { type Clock, idToHex, NetError, toHex } from "../base/mod.ts";
import type { MeshLink, SendStream, SubprotocolMessage } from "../core/transport/mod.ts";
import type { Log } from "../observe/mod.ts";
import {
  CHUNK_BYTES,
  DATA_EVENT_BYTES,
  SERVE_LINGER_MS,
  SERVE_STALL_MS,
  SERVE_WINDOW_BYTES,
  SERVES_ACTIVE_MAX,
  SERVES_ACTIVE_PER_PEER_MAX,
  SERVES_LINGERING_MAX,
  SERVES_WAITING_MAX,
  SERVES_WAITING_PER_PEER_MAX,
} from "./limits.ts";
import type { ReadChunkOptions } from "./chunk_store.ts";
import type { TransferCounters } from "./transfer_counters.ts";
import type { StreamEntry, TransferRegistry } from "./transfer_registry.ts";
import {
  decodeTransferRequest,
  encodeTransferHeader,
  isTransferStreamId,
} from "./transfer_wire.ts";
import type { WorkPool } from "./work/mod.ts";

/** Where a holder finds what it is asked for; a blob store is one. */
export interface BlobSource {
  /** Size of a chunk that is here; does not read it. */
  hasChunk(hash: Uint8Array): Promise<number | undefined>;
  /** A chunk, verified; a view of `into` when it holds it. */
  readChunk(
    hash: Uint8Array,
    into?: Uint8Array<ArrayBuffer>,
    options?: ReadChunkOptions,
  ): Promise<Uint8Array | undefined>;
  /** The encoded reference whose own hash this is. */
  readRef(refHash: Uint8Array): Promise<Uint8Array | undefined>;
  /** The encoded reference of the blob with this address. */
  readRefOf(address: Uint8Array): Promise<Uint8Array | undefined>;
}

/** What {@linkcode TransferHolder} needs. */
export interface TransferHolderDeps {
  readonly link: MeshLink;
  readonly clock: Clock;
  readonly log: Log;
  readonly source: BlobSource;
  readonly counters: TransferCounters;
  readonly registry: TransferRegistry;
  /** Who hashes what has to be verified; all is done in line when left out. */
  readonly work?: WorkPool;
}

/** Chunks that were served last, and are looked at closely when the same peer asks again: it may have found damage. */
const SERVED_MAX = 1_024;

/**
 * Chunks of at least this size are read into buffers that are used again: they come so fast that the
 * garbage collector would let hundreds of megabytes gather.
 */
const POOLED_BYTES_MIN = 256 * 1024;

interface Serve {
  readonly peer: bigint;
  readonly streamId: bigint;
  readonly hash: Uint8Array;
  readonly abort: AbortController;
  readonly entry: StreamEntry;
  /** Bytes handed to the stream. */
  sentBytes: number;
}

/** A transfer whose turn has not come. */
interface Waiting {
  readonly serve: Serve;
  readonly start: () => void;
}

/** Answers requests until it is stopped. */
export class TransferHolder {
  readonly #deps: TransferHolderDeps;
  readonly #serves = new Map<string, Serve>();
  readonly #active = new Map<bigint, number>();
  #activeCount = 0;
  #waiting: Waiting[] = [];
  /** Replies sent to their end whose acknowledgement is awaited, oldest first. */
  readonly #lingering = new Set<AbortController>();
  /** Buffers of chunks, for the next turn: as many as transfers were served at once. */
  readonly #buffers: Uint8Array<ArrayBuffer>[] = [];
  /** Peers and chunks, the last ones. */
  readonly #served = new Set<string>();
  #isStopped = false;

  constructor(deps: TransferHolderDeps) {
    this.#deps = deps;
  }

  /** Takes a request; what is no valid one is counted and dropped. */
  onRequest(message: SubprotocolMessage): void {
    const { counters } = this.#deps;
    const hash = decodeTransferRequest(message.payload);
    if (hash === undefined || !isTransferStreamId(message.streamId)) {
      counters.messages_malformed_total += 1;
      return;
    }
    counters.requests_received_total += 1;
    const { from: peer, streamId } = message;
    const key = `${peer}/${streamId}`;
    if (this.#serves.has(key)) {
      counters.requests_duplicate_total += 1;
      return;
    }
    let ofPeer = 0;
    for (const serve of this.#serves.values()) if (serve.peer === peer) ofPeer += 1;
    const isOverLimit = this.#isStopped ||
      this.#serves.size >= SERVES_ACTIVE_MAX + SERVES_WAITING_MAX ||
      ofPeer >= SERVES_ACTIVE_PER_PEER_MAX + SERVES_WAITING_PER_PEER_MAX;
    if (isOverLimit) {
      counters.requests_over_limit_total += 1;
      return;
    }
    const abort = new AbortController();
    const entry = this.#deps.registry.openStream({ streamId, peer, hash, direction: "serve" });
    const serve: Serve = { peer, streamId, hash, abort, entry, sentBytes: 0 };
    this.#serves.set(key, serve);
    void this.#serve(serve).finally(() => {
      this.#serves.delete(key);
      entry.end();
    });
  }

  /** Gives up everything under way. */
  stop(): void {
    this.#isStopped = true;
    for (const serve of this.#serves.values()) serve.abort.abort();
    for (const abort of this.#lingering) abort.abort();
    this.#wake();
  }

  /** Never rejects. */
  async #serve(serve: Serve): Promise<void> {
    const { link, log, counters } = this.#deps;
    let stream: SendStream | undefined;
    const stopWatching = this.#watch(serve);
    try {
      stream = link.openSendStream(serve.peer, serve.streamId, { windowBytes: SERVE_WINDOW_BYTES });
      const isFound = await this.#reply(serve, stream);
      if (!isFound) counters.serves_not_found_total += 1;
      this.#linger(stream, isFound);
    } catch (error) {
      counters.serves_failed_total += 1;
      log.debug("serve_failed", {
        peer: idToHex(serve.peer),
        hash: toHex(serve.hash),
        reason: error instanceof Error ? error.message : String(error),
      });
      stream?.abort();
    } finally {
      stopWatching();
    }
  }

  /** Waits aside until the end of a reply was acknowledged, so that it takes nobody's turn. */
  #linger(stream: SendStream, isFound: boolean): void {
    const { clock, counters } = this.#deps;
    const abort = new AbortController();
    this.#lingering.add(abort);
    const cancelTimer = clock.after(SERVE_LINGER_MS, () => abort.abort());
    stream.close({ signal: abort.signal }).then(
      () => {
        if (isFound) counters.serves_completed_total += 1;
      },
      () => {
        if (isFound) counters.serves_unconfirmed_total += 1;
        stream.abort();
      },
    ).finally(() => {
      cancelTimer();
      this.#lingering.delete(abort);
    });
    if (this.#lingering.size > SERVES_LINGERING_MAX) {
      const [oldest] = this.#lingering;
      oldest?.abort();
    }
  }

  async #reply(serve: Serve, stream: SendStream): Promise<boolean> {
    const { source } = this.#deps;
    const { hash } = serve;
    const size = await source.hasChunk(hash);
    const ref = size === undefined ? await source.readRef(hash) : undefined;
    const totalBytes = size ?? ref?.length;
    if (totalBytes === undefined) {
      await send(stream, encodeTransferHeader({ isFound: false }), serve.abort.signal);
      return false;
    }
    const header = encodeTransferHeader({ isFound: true, totalBytes: BigInt(totalBytes) });
    await send(stream, header, serve.abort.signal);
    if (totalBytes === 0) return true;
    await this.#takeTurn(serve);
    const isPooled = ref === undefined && totalBytes >= POOLED_BYTES_MIN &&
      totalBytes <= CHUNK_BYTES;
    const buffer = isPooled ? this.#buffers.pop() ?? new Uint8Array(CHUNK_BYTES) : undefined;
    try {
      const bytes = ref ?? await source.readChunk(hash, buffer, this.#readOptions(serve));
      if (bytes?.length !== totalBytes) {
        throw new NetError("integrity", `Cannot serve chunk: it is not what was announced`);
      }
      await this.#sendAll(serve, stream, bytes);
    } finally {
      // Streams copy what they take, so nobody looks at the buffer any more.
      if (buffer !== undefined) this.#buffers.push(buffer);
      this.#endTurn(serve);
    }
    return true;
  }

  /** Sends as much as there is room for without a pause, because only what is handed over together leaves together. */
  async #sendAll(serve: Serve, stream: SendStream, bytes: Uint8Array): Promise<void> {
    const { signal } = serve.abort;
    for (let at = 0; at < bytes.length;) {
      const before = at;
      for (; at < bytes.length; at += DATA_EVENT_BYTES) {
        if (!stream.trySend(bytes.subarray(at, at + DATA_EVENT_BYTES))) break;
      }
      const sent = Math.min(at, bytes.length) - before;
      serve.sentBytes += sent;
      serve.entry.moved(serve.sentBytes, bytes.length);
      this.#deps.counters.bytes_served_total += sent;
      if (at < bytes.length) await stream.ready({ signal });
    }
  }

  /** The peer verifies what it gets. When it asks again, what it got may have been damaged. */
  #readOptions({ peer, hash }: Serve): ReadChunkOptions {
    const { work } = this.#deps;
    const key = `${peer}/${toHex(hash)}`;
    const isTrusting = !this.#served.has(key);
    this.#served.add(key);
    if (this.#served.size > SERVED_MAX) {
      const [oldest] = this.#served;
      if (oldest !== undefined) this.#served.delete(oldest);
    }
    const hasher = work && ((bytes: Uint8Array) => hashAside(work, bytes));
    return { isTrusting, hash: hasher };
  }

  async #takeTurn(serve: Serve): Promise<void> {
    if (!this.#mayStart(serve)) {
      this.#deps.counters.serves_waiting += 1;
      await new Promise<void>((start) => this.#waiting.push({ serve, start }));
      this.#deps.counters.serves_waiting -= 1;
    } else {
      this.#begin(serve);
    }
    if (serve.abort.signal.aborted) {
      this.#endTurn(serve);
      throw new NetError("unreachable", "Cannot serve chunk: given up while it waited");
    }
  }

  #mayStart(serve: Serve): boolean {
    return this.#activeCount < SERVES_ACTIVE_MAX &&
      (this.#active.get(serve.peer) ?? 0) < SERVES_ACTIVE_PER_PEER_MAX;
  }

  #begin(serve: Serve): void {
    this.#activeCount += 1;
    this.#deps.counters.serves_active = this.#activeCount;
    this.#active.set(serve.peer, (this.#active.get(serve.peer) ?? 0) + 1);
  }

  #endTurn(serve: Serve): void {
    this.#activeCount -= 1;
    this.#deps.counters.serves_active = this.#activeCount;
    const left = (this.#active.get(serve.peer) ?? 1) - 1;
    if (left > 0) this.#active.set(serve.peer, left);
    else this.#active.delete(serve.peer);
    this.#wake();
  }

  /** Starts those who may, first come first; ones that were given up are let go to notice it. */
  #wake(): void {
    const stay: Waiting[] = [];
    const start: Waiting[] = [];
    for (const entry of this.#waiting) {
      if (!entry.serve.abort.signal.aborted && !this.#mayStart(entry.serve)) stay.push(entry);
      else {
        this.#begin(entry.serve);
        start.push(entry);
      }
    }
    this.#waiting = stay;
    for (const entry of start) entry.start();
  }

  /** Gives a transfer up when nothing was taken for too long; the result ends the watch. */
  #watch(serve: Serve): () => void {
    let sentBytes = -1;
    let cancel = () => {};
    const look = () => {
      if (serve.sentBytes === sentBytes) {
        serve.abort.abort();
        this.#wake();
        return;
      }
      sentBytes = serve.sentBytes;
      cancel = this.#deps.clock.after(SERVE_STALL_MS, look);
    };
    look();
    return () => cancel();
  }
}

/**
 * Hashes a chunk where other threads see it. It is not read there: the engine copies from shared memory word by word,
 * and every byte that is sent is copied.
 */
async function hashAside(work: WorkPool, bytes: Uint8Array): Promise<Uint8Array> {
  const shared = work.takeBuffer(bytes.length);
  try {
    shared.set(bytes);
    return (await work.hash(shared.subarray(0, bytes.length))).hash;
  } finally {
    work.giveBack(shared);
  }
}

async function send(stream: SendStream, event: Uint8Array, signal: AbortSignal): Promise<void> {
  while (!stream.trySend(event)) await stream.ready({ signal });
}
