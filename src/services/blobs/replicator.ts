/**
 * Has copies of a blob taken by other nodes until there are as many as wanted, and says honestly how many there
 * are (`dataforts.md` 9; promises D4, 39): a node counts when it answered after its own sync, or when it said
 * just now that it has the whole, or when it gave every byte.
 */
import { type Clock, idToHex, NetError } from "../../base/mod.ts";
import {
  type BlobRecord,
  type BlobStore,
  type BlobTransfer,
  chooseReplicaTargets,
  COPIES_MAX,
  COPY_REF_BYTES_MAX,
  COPY_SERVICE,
  COPY_SOURCES_MAX,
  type CopyRefusal,
  type CopyRequest,
  countBlobBytes,
  DurabilityWatch,
  HOLDS_SERVICE,
  listBlobHashes,
  listHolders,
  placeOf,
  readDataClaims,
  type ReplicaCandidate,
  touchHolders,
  writeWish,
} from "../../blob/mod.ts";
import type { LedgerDb } from "../../core/ledger/mod.ts";
import type { CounterSet, Log } from "../../observe/mod.ts";
import type { Rpc } from "../../rpc/mod.ts";
import { askForCopy, type CopyOutcome } from "./copy_asker.ts";
import type { HolderFinder } from "./holder_finder.ts";

/** What {@linkcode Replicator} needs. */
export interface ReplicatorDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly nodeId: bigint;
  readonly store: Pick<BlobStore, "stat" | "sync">;
  readonly db: LedgerDb;
  readonly rpc: Pick<Rpc, "callStream" | "findServiceNodes">;
  readonly finder: HolderFinder;
  readonly transfer: () => Pick<BlobTransfer, "fetchChunk">;
  /** Tags that a node announced. */
  readonly tagsOf: (nodeId: bigint) => readonly string[];
  readonly rttMs: (nodeId: bigint) => number | undefined;
  readonly mayReach: (nodeId: bigint) => boolean;
}

/** What is wanted. */
export interface ReplicateOptions {
  /** Other nodes that shall have it. */
  readonly peers: number;
  /** Milliseconds until it is given up. */
  readonly waitMs: number;
  /** The node goes on seeing to it afterwards; true when left out. */
  readonly isKept?: boolean;
  readonly onProgress?: (progress: ReplicateProgress) => void;
  readonly signal?: AbortSignal;
}

/** How far it is. */
export interface ReplicateProgress {
  /** Nodes that have all of it. */
  readonly held: number;
  readonly wanted: number;
  /** Bytes that are on the others so far, and shall be. */
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** A node that took no copy, and why. */
export interface RefusedCopy {
  readonly nodeId: bigint;
  readonly reason: CopyRefusal | "not_reached";
}

/** What was reached. */
export interface ReplicaReceipt {
  readonly address: Uint8Array;
  readonly isReached: boolean;
  readonly peersWanted: number;
  /** Other nodes that have every chunk, verified and synced. */
  readonly holders: readonly bigint[];
  readonly refused: readonly RefusedCopy[];
  /** Chunks of the blob, nodes and parity included: each is on this node and on every holder. */
  readonly chunks: number;
  readonly size: number;
  readonly elapsedMs: number;
}

/** Nodes that are asked for one blob at once. */
const ASKING_MAX = 8;
/** Time between two looks for further nodes. */
const LOOK_MS = 500;
/** A node that was busy, or could not be reached, is asked again after so long. */
const AGAIN_MS = 15_000;
/** Most that is fetched to see whether a node that can't be asked has a blob. */
const PROVEN_BYTES_MAX = 256 * 1024 * 1024;

/** One blob on its way to other nodes. */
interface Round {
  readonly record: BlobRecord;
  /** What a copy takes, with nodes, parity and the files of a folder. */
  readonly bytes: number;
  readonly peers: number;
  readonly watch: DurabilityWatch;
  readonly key: string;
  readonly held: Set<bigint>;
  readonly asking: Map<bigint, number>;
  /** Nodes that are not asked, or not before a time. */
  readonly refused: Map<
    bigint,
    { readonly reason: RefusedCopy["reason"]; readonly untilMs: number }
  >;
  readonly onProgress: ReplicateOptions["onProgress"];
  readonly abort: AbortController;
  wake: () => void;
}

/** Has copies taken. */
export class Replicator {
  readonly #deps: ReplicatorDeps;
  readonly #counters = {
    started_total: 0,
    reached_total: 0,
    missed_total: 0,
    asked_total: 0,
    held_total: 0,
    refused_total: 0,
    not_reached_total: 0,
  };
  /** Copies that nodes were asked for and have not finished. */
  readonly #asked = new Map<bigint, number>();

  constructor(deps: ReplicatorDeps) {
    this.#deps = deps;
  }

  /** All that was counted. */
  get counters(): CounterSet {
    return { ...this.#counters };
  }

  /**
   * Resolves when so many other nodes have the blob.
   *
   * @throws NetError `not_found` when it is not here, `usage` for a number of nodes outside 1 to 255, `timeout`
   * when there were fewer in time: `data` says how many; copies that were taken stay. The signal's reason.
   */
  async replicate(address: Uint8Array, options: ReplicateOptions): Promise<ReplicaReceipt> {
    const { peers, waitMs, isKept = true, onProgress, signal } = options;
    requirePeers(peers);
    signal?.throwIfAborted();
    const record = await this.#deps.store.stat(address);
    if (record === undefined) {
      throw new NetError("not_found", "Cannot have blob copied: this node does not have it", {
        next: "put it first, or ask a node that holds it",
      });
    }
    const { clock, db } = this.#deps;
    const startedAtMs = clock.now();
    if (isKept) {
      const wish = { address: record.address, copies: peers + 1, sinceMs: clock.wallMs() };
      await writeWish(db, wish);
    }
    const key = record.address.toHex();
    const tier = { kind: "replicated_to", peers } as const;
    const abort = new AbortController();
    const round: Round = {
      record,
      bytes: await countBlobBytes(db, record.address),
      peers,
      watch: new DurabilityWatch(tier, [key], startedAtMs, waitMs),
      key,
      held: new Set(),
      asking: new Map(),
      refused: new Map(),
      onProgress,
      abort,
      wake: () => {},
    };
    // Others are asked after the sync here: what they fetch is then sure to be still there.
    await this.#deps.store.sync(record.address);
    round.watch.step({ kind: "synced", chunk: key }, startedAtMs);
    const onAbort = () => abort.abort(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#counters.started_total += 1;
    try {
      return await this.#run(round, startedAtMs, isKept);
    } finally {
      signal?.removeEventListener("abort", onAbort);
      abort.abort(new NetError("failed", "Cannot go on: the copies are not waited for any more"));
    }
  }

  async #run(round: Round, startedAtMs: number, isKept: boolean): Promise<ReplicaReceipt> {
    const { clock, log } = this.#deps;
    const { watch, abort: { signal } } = round;
    await this.#countHolders(round, isKept);
    for (;;) {
      const over = watch.step({ kind: "tick" }, clock.now()).at(-1);
      if (watch.isOver) {
        const receipt = this.#receipt(round, startedAtMs);
        if (receipt.isReached) {
          this.#counters.reached_total += 1;
          return receipt;
        }
        this.#counters.missed_total += 1;
        const cause = over?.kind === "failed" ? over.error : undefined;
        log.warn("copies_missed", {
          address: round.key,
          held: receipt.holders.length,
          wanted: round.peers,
        });
        throw missedError(receipt, isKept, cause);
      }
      this.#askMore(round, isKept);
      await this.#pause(round, LOOK_MS);
      signal.throwIfAborted();
    }
  }

  /** Counts those that have it already. */
  async #countHolders(round: Round, isKept: boolean): Promise<void> {
    const { finder, db, rpc } = this.#deps;
    const { record, abort: { signal } } = round;
    const known = await listHolders(db, record.address);
    const nodes = new Set([
      ...finder.announced([record.address]),
      ...known.map(({ nodeId }) => nodeId),
    ]);
    const answering = new Set(rpc.findServiceNodes(HOLDS_SERVICE));
    for (const nodeId of nodes) {
      if (round.held.size >= round.peers) return;
      const isHeld = answering.has(nodeId)
        ? (await finder.ask(nodeId, [record.address], signal))?.[0] === "blob"
        : await this.#givesAll(nodeId, record, signal);
      if (isHeld) await this.#noteHeld(round, nodeId, isKept);
    }
  }

  /** True when a node that can't be asked gives every byte. */
  async #givesAll(nodeId: bigint, record: BlobRecord, signal: AbortSignal): Promise<boolean> {
    if (record.size > PROVEN_BYTES_MAX || !this.#deps.mayReach(nodeId)) return false;
    try {
      for (const hash of await listBlobHashes(this.#deps.db, record.address)) {
        await this.#deps.transfer().fetchChunk(hash, { peers: [nodeId], signal });
      }
      return true;
    } catch (error) {
      if (signal.aborted) throw error;
      return false;
    }
  }

  #askMore(round: Round, isKept: boolean): void {
    const open = round.peers - round.held.size - round.asking.size;
    const count = Math.min(open, ASKING_MAX - round.asking.size);
    if (count <= 0) return;
    const holders = [this.#deps.nodeId, ...round.held, ...round.asking.keys()];
    const targets = chooseReplicaTargets({
      candidates: this.#candidates(round),
      holders: holders.map((nodeId) => ({
        nodeId,
        ...placeOf(this.#deps.tagsOf(nodeId)),
      })),
      sizeBytes: round.bytes,
      count,
    });
    for (const nodeId of targets) {
      round.asking.set(nodeId, 0);
      void this.#ask(round, nodeId, isKept).finally(() => {
        round.asking.delete(nodeId);
        round.wake();
      });
    }
  }

  *#candidates(round: Round): Generator<ReplicaCandidate> {
    const { rpc, tagsOf, rttMs, mayReach, clock } = this.#deps;
    const nowMs = clock.now();
    // Who offers the call takes copies: it is served only where the policy allows it.
    for (const nodeId of rpc.findServiceNodes(COPY_SERVICE)) {
      const refused = round.refused.get(nodeId);
      if ((refused !== undefined && refused.untilMs > nowMs) || !mayReach(nodeId)) continue;
      const tags = tagsOf(nodeId);
      const { isUnhealthy, diskFreeGib } = readDataClaims(tags);
      yield {
        nodeId,
        ...placeOf(tags),
        hasStorage: true,
        isUnhealthy,
        freeBytes: diskFreeGib === 0 ? undefined : diskFreeGib * 1024 ** 3,
        rttMs: rttMs(nodeId),
        asked: this.#asked.get(nodeId) ?? 0,
      };
    }
  }

  /** Never rejects. */
  async #ask(round: Round, nodeId: bigint, isKept: boolean): Promise<void> {
    this.#counters.asked_total += 1;
    this.#asked.set(nodeId, (this.#asked.get(nodeId) ?? 0) + 1);
    let outcome: CopyOutcome | undefined;
    try {
      outcome = await askForCopy(this.#deps, nodeId, this.#request(round, isKept), {
        signal: round.abort.signal,
        onBytes: (doneBytes) => {
          round.asking.set(nodeId, doneBytes);
          this.#tell(round);
        },
      });
      if (outcome.kind === "held") await this.#noteHeld(round, nodeId, isKept);
      else this.#noteRefused(round, nodeId, outcome);
    } catch {
      // Only the end of the round gets here, and an unwritable ledger, which the next look meets again.
    } finally {
      const left = (this.#asked.get(nodeId) ?? 1) - 1;
      if (left > 0) this.#asked.set(nodeId, left);
      else this.#asked.delete(nodeId);
    }
  }

  #request(round: Round, isKept: boolean): CopyRequest {
    const { record, peers, held } = round;
    const isShort = record.blobRef.length <= COPY_REF_BYTES_MAX;
    return {
      address: record.address,
      sizeBytes: BigInt(round.bytes),
      isDirectory: record.kind === "directory",
      copies: isKept ? Math.min(peers + 1, COPIES_MAX) : 0,
      ref: isShort ? record.blobRef : new Uint8Array(0),
      sources: [...held].slice(0, COPY_SOURCES_MAX),
    };
  }

  async #noteHeld(round: Round, nodeId: bigint, isKept: boolean): Promise<void> {
    const { clock, db } = this.#deps;
    round.held.add(nodeId);
    round.refused.delete(nodeId);
    this.#counters.held_total += 1;
    // Known over restarts before it counts.
    if (isKept) await touchHolders(db, round.record.address, [nodeId], clock.wallMs());
    round.watch.step({ kind: "held", chunk: round.key, nodeId }, clock.now());
    this.#tell(round);
  }

  #noteRefused(
    round: Round,
    nodeId: bigint,
    outcome: Exclude<CopyOutcome, { readonly kind: "held" }>,
  ): void {
    const { clock, log } = this.#deps;
    const reason = outcome.kind === "refused" ? outcome.reason : "not_reached";
    if (outcome.kind === "refused") this.#counters.refused_total += 1;
    else this.#counters.not_reached_total += 1;
    const isForNow = reason === "busy" || reason === "not_reached" || reason === "not_fetched";
    const untilMs = isForNow ? clock.now() + AGAIN_MS : Infinity;
    round.refused.set(nodeId, { reason, untilMs });
    log.info("copy_refused", {
      address: round.key,
      peer: idToHex(nodeId),
      reason: outcome.kind === "refused" ? reason : outcome.error.message,
    });
  }

  #tell(round: Round): void {
    const { bytes, held, peers, asking } = round;
    let doneBytes = held.size * bytes;
    for (const takenBytes of asking.values()) doneBytes += Math.min(takenBytes, bytes);
    const totalBytes = peers * bytes;
    round.onProgress?.({ held: held.size, wanted: peers, doneBytes, totalBytes });
  }

  #receipt(round: Round, startedAtMs: number): ReplicaReceipt {
    const { record, watch, refused, peers } = round;
    const { isReached, holders } = watch.receipt(this.#deps.clock.now());
    return {
      address: record.address,
      isReached,
      peersWanted: peers,
      holders,
      refused: [...refused].map(([nodeId, { reason }]) => ({ nodeId, reason })),
      chunks: record.chunkCount,
      size: record.size,
      elapsedMs: this.#deps.clock.now() - startedAtMs,
    };
  }

  /** Waits for an answer, for a time, or for the end. */
  async #pause(round: Round, ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#deps.clock.after(ms, resolve);
    const { signal } = round.abort;
    round.wake = resolve;
    signal.addEventListener("abort", () => resolve(), { once: true });
    if (signal.aborted) resolve();
    await promise;
    cancel();
  }
}

function requirePeers(peers: number): void {
  if (Number.isInteger(peers) && peers >= 1 && peers < COPIES_MAX) return;
  throw new NetError(
    "usage",
    `Cannot have blob copied: ${peers} nodes are asked for, must be 1 to ${COPIES_MAX - 1}`,
    { next: "give a smaller number of copies" },
  );
}

function missedError(receipt: ReplicaReceipt, isKept: boolean, cause: unknown): NetError {
  const { holders, peersWanted, refused } = receipt;
  const missing = `${holders.length} of ${peersWanted} other nodes have every chunk`;
  return new NetError("timeout", `Cannot have blob copied in time: ${missing}`, {
    cause,
    next: isKept
      ? "the node goes on by itself; see net blob replicas, and connect to more nodes with room"
      : "connect to more nodes with room, or ask for fewer copies",
    data: {
      address: receipt.address.toHex(),
      copies: holders.length,
      wanted: peersWanted,
      holders: holders.map(idToHex),
      refused: refused.map(({ nodeId, reason }) => ({ node: idToHex(nodeId), reason })),
    },
  });
}
