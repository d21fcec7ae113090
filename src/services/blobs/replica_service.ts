/**
 * The service of holders and copies (docs/replicas.md): says which blobs are here, finds those of others, takes
 * copies for them and has copies taken, and keeps their number.
 */
import { type Clock, NetError, type RandomBytes, repeat } from "../../base/mod.ts";
import {
  type BlobStore,
  type BlobTransfer,
  deleteWish,
  listHeldRoots,
  listWishes,
  readWish,
  TAG_STORAGE_UNHEALTHY,
} from "../../blob/mod.ts";
import type { Ledger } from "../../core/ledger/mod.ts";
import type { Service, ServiceHealth } from "../../kernel/mod.ts";
import type { CounterSet, Log, MetricRegistry } from "../../observe/mod.ts";
import type { Rpc, ServeHandle } from "../../rpc/mod.ts";
import type { CapabilityService } from "../capabilities/mod.ts";
import { type CopiesState, CopyKeeper, type CopyKeeperOptions } from "./copy_keeper.ts";
import { type CopyPolicy, CopyTaker } from "./copy_taker.ts";
import { HolderAnnouncer } from "./holder_announcer.ts";
import { HolderFinder } from "./holder_finder.ts";
import { serveHoldings } from "./holdings_server.ts";
import { type ReplicaReceipt, type ReplicateOptions, Replicator } from "./replicator.ts";

/** What {@linkcode ReplicaService} needs. */
export interface ReplicaServiceDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  readonly random: RandomBytes;
  readonly store: BlobStore;
  readonly ledger: Ledger;
  readonly transfer: () => Pick<BlobTransfer, "createBook" | "fetchChunk" | "resolve">;
  readonly capabilities: Pick<CapabilityService, "contribute" | "index" | "known" | "own">;
  readonly rpc: Rpc;
  readonly connectedPeers: () => readonly bigint[];
  readonly rttMs: (nodeId: bigint) => number | undefined;
  readonly reach: (nodeId: bigint, signal?: AbortSignal) => Promise<void>;
  readonly mayReach: (nodeId: bigint) => boolean;
  readonly policy: ReplicaPolicySource;
}

/** What copies go by; it may change while the node runs. */
export interface ReplicaPolicySource {
  readonly current: CopyPolicy;
  onChange(handler: () => void): () => void;
}

/** What was announced is looked at again after so long: a blob is recorded a moment behind its last chunk. */
const REFRESH_MS = 60_000;
const LIST_MAX = 500;

/** Holders and copies of a node. */
export class ReplicaService implements Service {
  readonly name = "replicas";
  readonly finder: HolderFinder;
  readonly #deps: ReplicaServiceDeps;
  readonly #announcer: HolderAnnouncer;
  readonly #taker: CopyTaker;
  readonly #replicator: Replicator;
  readonly #keeper: CopyKeeper;
  #copies: ServeHandle | undefined;
  #holdings: ServeHandle | undefined;
  #stops: (() => void)[] = [];
  #totals = { wishes: 0, replicaBytes: 0 };

  constructor(deps: ReplicaServiceDeps, options: CopyKeeperOptions = {}) {
    this.#deps = deps;
    const { capabilities, ledger: { db }, store } = deps;
    const { nodeId } = capabilities.own;
    const finder = this.finder = new HolderFinder({ ...deps, nodeId, index: capabilities.index });
    const parts = { ...deps, nodeId, db, finder };
    const announcer = this.#announcer = new HolderAnnouncer({
      ...deps,
      roots: (limit) => listHeldRoots(db, limit),
    });
    const onChange = () => announcer.noteChange();
    this.#taker = new CopyTaker({
      ...parts,
      store,
      policy: () => deps.policy.current,
      isHealthy: () => !capabilities.own.capabilities.tags.includes(TAG_STORAGE_UNHEALTHY),
      onTaken: onChange,
    });
    const tagsOf = (id: bigint) => capabilities.known(id)?.set.tags ?? [];
    const replicator = this.#replicator = new Replicator({ ...parts, tagsOf });
    this.#keeper = new CopyKeeper({
      ...parts,
      replicator,
      wantedPeers: () => deps.policy.current.wantedPeers ?? 0,
      onDropped: onChange,
    }, options);
  }

  async start(): Promise<void> {
    const { clock, metrics, store, rpc, policy } = this.#deps;
    this.#holdings = serveHoldings(rpc, store);
    this.#offer();
    this.#stops = [
      store.onChange(() => this.#announcer.noteChange()),
      policy.onChange(() => this.#offer()),
      repeat(clock, REFRESH_MS, () => {
        this.#announcer.noteChange();
        void this.#count();
      }),
    ];
    metrics.register("holders", () => ({ ...this.finder.counters, ...this.#announcer.counters }));
    metrics.register("replicas", () => this.#counters());
    await this.#count();
    await this.#announcer.start();
    this.#keeper.start();
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops) stop();
    this.#stops = [];
    this.#announcer.stop();
    await this.#keeper.stop();
    await this.#copies?.close({ isPatient: false, why: "the node stops" });
    await this.#holdings?.close({ isPatient: false, why: "the node stops" });
    this.#copies = this.#holdings = undefined;
  }

  health(): ServiceHealth {
    return { state: "healthy" };
  }

  /** Has other nodes take copies; see {@linkcode Replicator.replicate}. */
  async replicate(address: Uint8Array, options: ReplicateOptions): Promise<ReplicaReceipt> {
    try {
      return await this.#replicator.replicate(address, options);
    } finally {
      // What shall have copies is told first.
      this.#announcer.noteChange();
    }
  }

  /** Lets the number of a blob's copies be what it is; those that there are stay. */
  async forget(address: Uint8Array): Promise<boolean> {
    return await deleteWish(this.#deps.ledger.db, address);
  }

  /**
   * What is known of the copies of one blob.
   *
   * @throws NetError `not_found` when this node does not see to its copies.
   */
  async stateOf(address: Uint8Array, signal?: AbortSignal): Promise<CopiesState> {
    const wish = await readWish(this.#deps.ledger.db, address);
    const state = wish && await this.#keeper.look(wish, signal);
    if (state !== undefined) return state;
    throw new NetError(
      "not_found",
      "Cannot show copies: this node does not see to any of the blob",
      {
        next: "have copies taken with net blob replicate TARGET --copies N",
      },
    );
  }

  /** The same of every blob whose copies this node sees to, by address; the first 500. */
  async states(
    options: { readonly after?: Uint8Array; readonly signal?: AbortSignal } = {},
  ): Promise<readonly CopiesState[]> {
    const { after, signal } = options;
    const wishes = await listWishes(this.#deps.ledger.db, { limit: LIST_MAX, after });
    const states: CopiesState[] = [];
    for (const wish of wishes) {
      const state = await this.#keeper.look(wish, signal);
      if (state !== undefined) states.push(state);
    }
    return states;
  }

  /** Offers to take copies while the policy says so. */
  #offer(): void {
    const { policy, rpc, log } = this.#deps;
    const { isAccepting } = policy.current;
    if (isAccepting) {
      this.#copies ??= this.#taker.serve(rpc);
      return;
    }
    // Those under way are finished.
    this.#copies?.close().catch((error) =>
      log.warn("copies_not_closed", { reason: String(error) })
    );
    this.#copies = undefined;
  }

  async #count(): Promise<void> {
    try {
      this.#totals = await this.#taker.totals();
    } catch {
      // A ledger that can't be read says so elsewhere; the figures of before stay.
    }
  }

  #counters(): CounterSet {
    const { wishes, replicaBytes } = this.#totals;
    const prefixed = (prefix: string, counters: CounterSet): CounterSet =>
      Object.fromEntries(
        Object.entries(counters).map(([name, value]) => [`${prefix}_${name}`, value]),
      );
    return {
      wishes,
      kept_for_others_bytes: replicaBytes,
      ...prefixed("take", this.#taker.counters),
      ...prefixed("ask", this.#replicator.counters),
      ...prefixed("keep", this.#keeper.counters),
    };
  }
}
