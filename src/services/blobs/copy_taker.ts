/**
 * Takes copies of blobs that other nodes ask for: the service `net.blob.copy` (docs/replicas.md).
 *
 * The answer "held" is a promise: every chunk is here, verified, synced, recorded, and kept. Whether a copy is
 * taken is this node's decision: its policy, its quota, its health.
 */
import { type Clock, idToHex, NetError, toHex, toNetError } from "../../base/mod.ts";
import {
  type BlobRef,
  type BlobStore,
  type BlobTransfer,
  COPY_SERVICE,
  copyBlob,
  CopyBytes,
  type CopyRefusal,
  type CopyReply,
  type CopyRequest,
  countWishes,
  decodeBlobRef,
  decodeCopyRequest,
  encodeCopyReply,
  listBlobHashes,
  touchHolders,
  WISHES_MAX,
  writeWish,
} from "../../blob/mod.ts";
import type { LedgerDb } from "../../core/ledger/mod.ts";
import type { CounterSet, Log } from "../../observe/mod.ts";
import type { Rpc, RpcContext, ServeHandle } from "../../rpc/mod.ts";

/** What this node takes. */
export interface CopyPolicy {
  readonly isAccepting: boolean;
  /** Most that copies for others take, in bytes. */
  readonly capBytes: number;
  /** Other nodes that shall have all that is put here; none when left out. */
  readonly wantedPeers?: number;
}

/** What {@linkcode CopyTaker} needs. */
export interface CopyTakerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly nodeId: bigint;
  readonly store: BlobStore;
  readonly db: LedgerDb;
  readonly transfer: () => Pick<BlobTransfer, "createBook" | "fetchChunk" | "resolve">;
  readonly reach: (nodeId: bigint, signal: AbortSignal) => Promise<void>;
  readonly policy: () => CopyPolicy;
  /** False while the store should take nothing of others. */
  readonly isHealthy: () => boolean;
  /** Called when a copy is complete. */
  readonly onTaken: () => void;
}

/** Copies taken at once: each holds some chunks in memory. */
const TAKING_MAX = 4;
/** Requests that wait for their turn, in all and of one node; they hold the reference only. */
const WAITING_MAX = 64;
const PER_PEER_MAX = 16;
/** Nodes that are connected to before the first chunk is asked for, and how long that may take. */
const REACHED_MAX = 4;
const REACH_MS = 4_000;
/** Time between two answers: who asked sees that something goes on. */
const PROGRESS_MS = 1_000;
/** Far above that, for a node that is busy elsewhere. */
const HANDLER_TIMEOUT_MS = 120_000;
/** A hold is renewed long before this; what nobody renews any more is let go. */
export const COPY_HOLD_MS = 48 * 3_600_000;

/** Name of the hold of a copy. */
export function copyHoldOwner(address: Uint8Array): string {
  return `replica:${toHex(address)}`;
}

/** Takes copies. */
export class CopyTaker {
  readonly #deps: CopyTakerDeps;
  readonly #counters = {
    requests_total: 0,
    requests_malformed_total: 0,
    taken_total: 0,
    taken_bytes_total: 0,
    cancelled_total: 0,
  };
  readonly #refused = new Map<CopyRefusal, number>();
  readonly #waiting: (() => void)[] = [];
  readonly #copyBytes: CopyBytes;
  #running = 0;
  /** Bytes of copies under way, which the store does not count yet. */
  #reservedBytes = 0;

  constructor(deps: CopyTakerDeps) {
    this.#deps = deps;
    this.#copyBytes = new CopyBytes(deps.db);
  }

  /** All that was counted. */
  get counters(): CounterSet {
    const counters: CounterSet = {
      ...this.#counters,
      taking: this.#running,
      waiting: this.#waiting.length,
    };
    for (const [reason, count] of this.#refused) counters[`refused_${reason}_total`] = count;
    return counters;
  }

  /** How many blobs have their copies seen to, and the bytes of copies that are here because others asked. */
  async totals(): Promise<{ readonly wishes: number; readonly replicaBytes: number }> {
    const wishes = await countWishes(this.#deps.db);
    return { wishes, replicaBytes: await this.#copyBytes.count() };
  }

  /** Serves requests until the result is closed. */
  serve(rpc: Pick<Rpc, "serveStream">): ServeHandle {
    return rpc.serveStream(COPY_SERVICE, (body, context) => this.#answers(body, context), {
      runningMax: TAKING_MAX + WAITING_MAX,
      runningPerPeerMax: PER_PEER_MAX,
      handlerTimeoutMs: HANDLER_TIMEOUT_MS,
    });
  }

  async *#answers(body: Uint8Array, context: RpcContext): AsyncGenerator<Uint8Array> {
    this.#counters.requests_total += 1;
    const request = decodeCopyRequest(body);
    if (request === undefined) {
      this.#counters.requests_malformed_total += 1;
      throw new NetError("usage", "Cannot take copy: the request is not one of ours");
    }
    const abort = new AbortController();
    const signal = AbortSignal.any([abort.signal, context.signal]);
    let doneBytes = 0;
    const work = this.take(request, context.caller, signal, (bytes) => doneBytes = bytes);
    work.catch(() => {}); // Seen below, unless the caller went away first.
    try {
      for (;;) {
        const reply = await this.#within(PROGRESS_MS, work);
        if (reply !== undefined) {
          yield encodeCopyReply(reply);
          return;
        }
        const progress = { doneBytes: BigInt(doneBytes), totalBytes: request.sizeBytes };
        yield encodeCopyReply({ kind: "progress", ...progress });
      }
    } finally {
      abort.abort(new NetError("failed", "Cannot take copy: nobody waits for it any more"));
    }
  }

  /**
   * Takes a copy.
   *
   * @param caller Who asks; it has the bytes.
   * @throws The signal's reason.
   */
  async take(
    request: CopyRequest,
    caller: bigint,
    signal: AbortSignal,
    onBytes: (doneBytes: number) => void,
  ): Promise<CopyReply> {
    const sizeBytes = Number(request.sizeBytes);
    const refusal = await this.#whyNot(sizeBytes);
    if (refusal !== undefined) return this.#refuse(refusal);
    this.#reservedBytes += sizeBytes;
    try {
      await this.#turn(signal);
      try {
        return await this.#take(request, caller, signal, onBytes);
      } finally {
        this.#running -= 1;
        this.#waiting.shift()?.();
      }
    } catch (error) {
      if (signal.aborted) {
        this.#counters.cancelled_total += 1;
        throw signal.reason;
      }
      const { message, code } = toNetError(error, "Cannot take copy");
      this.#deps.log.warn("copy_not_taken", {
        address: toHex(request.address),
        peer: idToHex(caller),
        reason: message,
      });
      return this.#refuse(refusalOf(code));
    } finally {
      this.#reservedBytes -= sizeBytes;
    }
  }

  async #take(
    request: CopyRequest,
    caller: bigint,
    signal: AbortSignal,
    onBytes: (doneBytes: number) => void,
  ): Promise<CopyReply> {
    const { address, isDirectory, copies, sources } = request;
    const { store, db, clock, log } = this.#deps;
    const nodes = [...new Set([caller, ...sources])].filter((id) => id !== this.#deps.nodeId);
    const transfer = this.#deps.transfer();
    const book = transfer.createBook();
    await this.#reachSome(nodes, signal);
    const ref = await this.#refOf(request, signal);
    if (ref === undefined) return this.#refuse("bad_reference");
    for (const node of nodes) book.noteHolder(node);
    const fetch = async (
      hash: Uint8Array,
      options: { readonly expectedBytes?: number; readonly signal: AbortSignal },
    ) => (await transfer.fetchChunk(hash, { ...options, book, blobHash: address })).bytes;
    const bytesMax = Number(request.sizeBytes);
    const options = { address, ref, isDirectory, bytesMax, onBytes, signal };
    const stored = await copyBlob({ store, fetch }, options);
    const nowMs = clock.wallMs();
    if (copies > 0) {
      await writeWish(db, { address, copies, sinceMs: nowMs });
      await touchHolders(db, address, nodes, nowMs);
    }
    const hashes = await listBlobHashes(db, address);
    await store.hold(hashes, {
      reason: "replica",
      owner: copyHoldOwner(address),
      expiresAtMs: nowMs + COPY_HOLD_MS,
    });
    this.#counters.taken_total += 1;
    this.#counters.taken_bytes_total += stored.size;
    log.info("copy_taken", { address: toHex(address), peer: idToHex(caller), bytes: stored.size });
    this.#deps.onTaken();
    return { kind: "held", chunks: BigInt(stored.chunkCount), bytes: BigInt(stored.size) };
  }

  async #whyNot(sizeBytes: number): Promise<CopyRefusal | undefined> {
    const { policy, isHealthy, store } = this.#deps;
    const { isAccepting, capBytes } = policy();
    if (!isAccepting) return "not_accepting";
    if (!isHealthy()) return "unhealthy";
    if (this.#running + this.#waiting.length >= TAKING_MAX + WAITING_MAX) return "busy";
    const { wishes, replicaBytes } = await this.totals();
    const neededBytes = sizeBytes + this.#reservedBytes;
    const hasRoom = neededBytes <= store.room().freeBytes &&
      replicaBytes + neededBytes <= capBytes && wishes < WISHES_MAX;
    return hasRoom ? undefined : "no_room";
  }

  #refuse(reason: CopyRefusal): CopyReply {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1);
    return { kind: "refused", reason };
  }

  /** Resolves when it is this request's turn, which the caller gives back. */
  async #turn(signal: AbortSignal): Promise<void> {
    while (this.#running >= TAKING_MAX) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
      await promise;
      const at = this.#waiting.indexOf(resolve);
      if (at >= 0) this.#waiting.splice(at, 1);
      // It may have been woken in the moment it was given up: then it is the next one's turn.
      if (signal.aborted) this.#waiting.shift()?.();
      signal.throwIfAborted();
    }
    signal.throwIfAborted();
    this.#running += 1;
  }

  /** Connects to nodes that have the bytes; who can't be reached is not asked. */
  async #reachSome(nodes: readonly bigint[], signal: AbortSignal): Promise<void> {
    const reached = nodes.slice(0, REACHED_MAX).map((node) =>
      this.#deps.reach(node, signal).catch(() => {})
    );
    await this.#within(REACH_MS, Promise.all(reached));
    signal.throwIfAborted();
  }

  async #refOf(request: CopyRequest, signal: AbortSignal): Promise<BlobRef | undefined> {
    const { store } = this.#deps;
    const decoded = request.ref.length > 0 ? decodeBlobRef(request.ref) : undefined;
    if (decoded !== undefined) return decoded.ok ? decoded.ref : undefined;
    return await store.resolve(request.address) ??
      (await this.#deps.transfer().resolve(request.address, { signal }))?.ref;
  }

  /** What `work` gives if that takes no longer; `undefined` when it does, and then it goes on. */
  async #within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const cancel = this.#deps.clock.after(ms, () => resolve(undefined));
    try {
      return await Promise.race([work, promise]);
    } finally {
      cancel();
    }
  }
}

function refusalOf(code: NetError["code"]): CopyRefusal {
  if (code === "no_space" || code === "limit") return "no_room";
  const isTheirs = ["not_found", "integrity", "timeout", "unreachable"].includes(code);
  return isTheirs ? "not_fetched" : "not_stored";
}
