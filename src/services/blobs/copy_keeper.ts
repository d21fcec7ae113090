/**
 * Sees to it that blobs keep the number of copies they shall have (promise 38): looks for the holders of each
 * again and again, has copies taken when some are gone for long, and lets go of its own when there are too many.
 *
 * Who announces a blob has it; the others that had it are asked, many blobs in one question. What to do is
 * decided by `CopiesWatch`.
 */
import {
  type Clock,
  NetError,
  type RandomBytes,
  STOPPING_NEXT,
  toHex,
  toNetError,
} from "../../base/mod.ts";
import {
  type BlobStore,
  type CopiesTimes,
  CopiesWatch,
  type CopyWish,
  deleteHolder,
  deleteWish,
  HOLDINGS_HASHES_MAX,
  type KnownHolder,
  listBlobHashes,
  listHolders,
  listUnwished,
  listWishes,
  touchHolders,
  writeWish,
} from "../../blob/mod.ts";
import type { LedgerDb } from "../../core/ledger/mod.ts";
import type { CounterSet, Log } from "../../observe/mod.ts";
import { asCompleted } from "./_as_completed.ts";
import { COPY_HOLD_MS, copyHoldOwner } from "./copy_taker.ts";
import type { HolderFinder } from "./holder_finder.ts";
import type { Replicator } from "./replicator.ts";

/** What {@linkcode CopyKeeper} needs. */
export interface CopyKeeperDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: RandomBytes;
  readonly nodeId: bigint;
  readonly store: Pick<BlobStore, "stat" | "remove" | "hold" | "release">;
  readonly db: LedgerDb;
  readonly finder: HolderFinder;
  readonly replicator: Pick<Replicator, "replicate">;
  /** Other nodes that shall have all that is put here; 0 for none. */
  readonly wantedPeers: () => number;
  /** Called when a copy was let go. */
  readonly onDropped: () => void;
}

/** Options of {@linkcode CopyKeeper}. */
export interface CopyKeeperOptions {
  /** Milliseconds between two looks; 60000 when left out. */
  readonly tickMs?: number;
  readonly times?: CopiesTimes;
}

/** What is known of one blob's copies, for people. */
export interface CopiesState {
  readonly address: Uint8Array;
  readonly size: number;
  /** Copies wanted, this node's included. */
  readonly wanted: number;
  /** Other nodes that have it, and those that had it and are away. */
  readonly present: readonly bigint[];
  readonly away: readonly bigint[];
}

const TICK_MS = 60_000;
/** Blobs looked at in one tick; with more of them each has its turn every few ticks. */
const LOOKED_AT_MAX = 256;
/** Nodes asked in one tick, and at once. */
const ASKED_MAX = 64;
const ASKED_AT_ONCE_MAX = 4;
/** Blobs that are repaired at once, and how long one may take. */
const REPAIRING_MAX = 4;
const REPAIR_MS = 15 * 60_000;
/** A repair that came to nothing is tried again after so long, twice that the next time, and so on. */
const REPAIR_AGAIN_MS = 2 * 60_000;
const REPAIR_AGAIN_MS_MAX = 60 * 60_000;
/** That a holder was seen is written again after so long: a third of the time that it counts while it is away. */
const SEEN_MS = 5 * 60_000;
/** The hold of a copy is renewed when half of its time is over. */
const RENEW_MS = COPY_HOLD_MS / 2;

interface Kept {
  readonly watch: CopiesWatch;
  failures: number;
  /** Not repaired before. */
  againAtMs: number;
  isRepairing: boolean;
  renewedAtMs: number;
}

/** One blob, looked at. */
interface Looked {
  readonly wish: CopyWish;
  /** Nodes seen so lately that it need not be written again. */
  readonly fresh: Set<bigint>;
  readonly present: Set<bigint>;
  readonly silent: Map<bigint, KnownHolder>;
}

/** Keeps copies. */
export class CopyKeeper {
  readonly #deps: CopyKeeperDeps;
  readonly #times: CopiesTimes | undefined;
  readonly #tickMs: number;
  readonly #kept = new Map<string, Kept>();
  readonly #counters = {
    looked_at_total: 0,
    repairs_total: 0,
    /** Somebody else had been quicker. */
    repairs_spared_total: 0,
    repairs_failed_total: 0,
    dropped_total: 0,
    drops_called_off_total: 0,
    holders_gone_total: 0,
  };
  #after: Uint8Array | undefined;
  #cancelTimer: (() => void) | undefined;
  #looking: Promise<void> | undefined;
  #repairing = 0;
  /** Blobs whose repair is due, as of the last look. */
  #due: { readonly wish: CopyWish; readonly kept: Kept }[] = [];
  readonly #repairs = new Set<Promise<void>>();
  #abort = new AbortController();

  constructor(deps: CopyKeeperDeps, options: CopyKeeperOptions = {}) {
    this.#deps = deps;
    this.#times = options.times;
    this.#tickMs = options.tickMs ?? TICK_MS;
  }

  /** All that was counted. */
  get counters(): CounterSet {
    return { ...this.#counters, followed: this.#kept.size, repairing: this.#repairing };
  }

  start(): void {
    this.#abort = new AbortController();
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#abort.abort(
      new NetError("draining", "Cannot keep copies: the node stops", { next: STOPPING_NEXT }),
    );
    await this.#looking;
    await Promise.all(this.#repairs);
  }

  /** What is known of a blob's copies; asks those that do not announce it. */
  async look(wish: CopyWish, signal?: AbortSignal): Promise<CopiesState | undefined> {
    const record = await this.#deps.store.stat(wish.address);
    if (record === undefined) return undefined;
    const [looked] = await this.#look([wish], signal ?? this.#abort.signal);
    if (looked === undefined) return undefined;
    return {
      address: wish.address,
      size: record.size,
      wanted: wish.copies,
      present: [...looked.present].sort(byId),
      away: [...looked.silent.keys()].sort(byId),
    };
  }

  /** Not all nodes look at the same moment, also when all were started together. */
  #schedule(): void {
    const waitMs = this.#tickMs * (0.75 + this.#chance() / 2);
    this.#cancelTimer = this.#deps.clock.after(waitMs, () => {
      this.#looking = this.#tick().catch((error) => {
        if (this.#abort.signal.aborted) return;
        const { message } = toNetError(error, "Cannot look after copies");
        this.#deps.log.warn("copies_not_looked_at", { reason: message });
      }).finally(() => {
        if (!this.#abort.signal.aborted) this.#schedule();
      });
    });
  }

  async #tick(): Promise<void> {
    const { db, clock, nodeId } = this.#deps;
    const { signal } = this.#abort;
    await this.#wishForAll();
    const wishes = await listWishes(db, { limit: LOOKED_AT_MAX, after: this.#after });
    this.#after = wishes.length < LOOKED_AT_MAX ? undefined : wishes.at(-1)?.address;
    const looked = await this.#look(wishes, signal);
    this.#due = [];
    for (const { wish, present, silent } of looked) {
      signal.throwIfAborted();
      const record = await this.#deps.store.stat(wish.address);
      // It was removed meanwhile, and the wish with it.
      if (record === undefined) continue;
      this.#counters.looked_at_total += 1;
      const kept = this.#keptOf(wish.address);
      const isDroppable = record.origin === "replica" && !record.isPinned;
      if (isDroppable) await this.#renew(wish.address, kept);
      const action = kept.watch.step({
        nodeId,
        wanted: wish.copies,
        present: [...present],
        away: [...silent.values()],
        isDroppable,
        nowMs: clock.wallMs(),
      });
      if (action.kind === "repair") this.#due.push({ wish, kept });
      if (action.kind === "drop") await this.#drop(wish, [...present], signal);
    }
    this.#forgetOthers(wishes);
    this.#repairDue();
  }

  /** What was put without a word on copies gets as many as the policy says. */
  async #wishForAll(): Promise<void> {
    const { db, clock, wantedPeers } = this.#deps;
    const peers = wantedPeers();
    if (peers === 0) return;
    for (const address of await listUnwished(db, LOOKED_AT_MAX)) {
      await writeWish(db, { address, copies: peers + 1, sinceMs: clock.wallMs() });
    }
  }

  #repairDue(): void {
    while (this.#repairing < REPAIRING_MAX && !this.#abort.signal.aborted) {
      const next = this.#due.shift();
      if (next === undefined) return;
      this.#repair(next.wish, next.kept);
    }
  }

  /** Who has the blobs now, and who had them and does not say. */
  async #look(wishes: readonly CopyWish[], signal: AbortSignal): Promise<Looked[]> {
    const { db, finder, clock, nodeId } = this.#deps;
    const looked: Looked[] = [];
    const questions = new Map<bigint, Looked[]>();
    for (const wish of wishes) {
      const announced = new Set(finder.announced([wish.address]));
      const present = new Set<bigint>();
      const silent = new Map<bigint, KnownHolder>();
      const fresh = new Set<bigint>();
      const entry = { wish, present, silent, fresh };
      looked.push(entry);
      const ask = (holder: bigint) => {
        const asked = questions.get(holder);
        if (asked === undefined) questions.set(holder, [entry]);
        else asked.push(entry);
      };
      for (const known of await listHolders(db, wish.address)) {
        if (known.nodeId === nodeId) continue;
        if (clock.wallMs() - known.seenAtMs < SEEN_MS) fresh.add(known.nodeId);
        if (announced.delete(known.nodeId)) present.add(known.nodeId);
        else {
          silent.set(known.nodeId, known);
          ask(known.nodeId);
        }
      }
      // Who announces it and was never heard to have it is asked once.
      for (const stranger of announced) ask(stranger);
    }
    const asks = this.#shuffled([...questions]);
    const ask = async ([holder, entries]: (typeof asks)[number]) => {
      for (let start = 0; start < entries.length; start += HOLDINGS_HASHES_MAX) {
        const part = entries.slice(start, start + HOLDINGS_HASHES_MAX);
        if (!await this.#ask(holder, part, signal)) return;
      }
    };
    // Of those for whom there is no time now nothing is known: they are waited for as if they had just been seen.
    for (const [holder, entries] of asks.slice(ASKED_MAX)) {
      for (const { silent } of entries) {
        silent.set(holder, { nodeId: holder, seenAtMs: clock.wallMs() });
      }
    }
    for await (const _ of asCompleted(asks.slice(0, ASKED_MAX), ASKED_AT_ONCE_MAX, ask)) {
      signal.throwIfAborted();
    }
    const nowMs = clock.wallMs();
    for (const { wish, present, fresh } of looked) {
      const seen = [...present].filter((holder) => !fresh.has(holder));
      await touchHolders(db, wish.address, seen, nowMs).catch(() => {}); // Removed meanwhile.
    }
    return looked;
  }

  /** Never rejects; false when there was no answer. */
  async #ask(holder: bigint, entries: readonly Looked[], signal: AbortSignal): Promise<boolean> {
    const hashes = entries.map(({ wish }) => wish.address);
    const held = await this.#deps.finder.ask(holder, hashes, signal);
    if (held === undefined) return false;
    for (const [i, { wish, present, silent }] of entries.entries()) {
      silent.delete(holder);
      if (held[i] === "blob") {
        present.add(holder);
        continue;
      }
      // It says so itself: nothing is to be waited for.
      this.#counters.holders_gone_total += 1;
      await deleteHolder(this.#deps.db, wish.address, holder).catch(() => {});
    }
    return true;
  }

  #repair(wish: CopyWish, kept: Kept): void {
    const { clock, log } = this.#deps;
    const isDue = clock.now() >= kept.againAtMs;
    if (kept.isRepairing || !isDue) return;
    kept.isRepairing = true;
    this.#repairing += 1;
    const { signal } = this.#abort;
    const repair = this.#runRepair(wish, signal).then((isDone) => {
      kept.failures = 0;
      if (!isDone) {
        this.#counters.repairs_spared_total += 1;
        return;
      }
      this.#counters.repairs_total += 1;
      log.info("copies_repaired", { address: toHex(wish.address), copies: wish.copies });
    }, (error) => {
      if (signal.aborted) return;
      this.#counters.repairs_failed_total += 1;
      const waitMs = Math.min(REPAIR_AGAIN_MS * 2 ** kept.failures, REPAIR_AGAIN_MS_MAX);
      kept.failures = Math.min(kept.failures + 1, 8);
      kept.againAtMs = clock.now() + waitMs * (1 + this.#chance() / 4);
      const { message } = toNetError(error, "Cannot repair copies");
      log.warn("copies_not_repaired", { address: toHex(wish.address), reason: message });
    }).finally(() => {
      kept.isRepairing = false;
      this.#repairing -= 1;
      this.#repairs.delete(repair);
      this.#repairDue();
    });
    this.#repairs.add(repair);
  }

  /** Looks once more, everywhere: somebody may have been quicker, and not be known here yet; then it is false. */
  async #runRepair(wish: CopyWish, signal: AbortSignal): Promise<boolean> {
    const { finder, db, clock, replicator } = this.#deps;
    const found: bigint[] = [];
    // A blob that nobody else ever had is not looked for.
    const isNew = (await listHolders(db, wish.address)).length === 0 && !await this.#isCopy(wish);
    const others = isNew ? [] : finder.holdersOf(wish.address, { signal });
    for await (const holder of others) {
      const held = await finder.ask(holder, [wish.address], signal);
      if (held?.[0] === "blob") found.push(holder);
      if (found.length + 1 >= wish.copies) break;
    }
    await touchHolders(db, wish.address, found, clock.wallMs());
    if (found.length + 1 >= wish.copies) return false;
    await replicator.replicate(wish.address, {
      peers: wish.copies - 1,
      waitMs: REPAIR_MS,
      signal,
    });
    return true;
  }

  async #isCopy({ address }: CopyWish): Promise<boolean> {
    return (await this.#deps.store.stat(address))?.origin === "replica";
  }

  /** Lets go of this node's copy when the others say once more that they have theirs. */
  async #drop(wish: CopyWish, present: readonly bigint[], signal: AbortSignal): Promise<void> {
    const { finder, store, db, log } = this.#deps;
    const { address, copies } = wish;
    let others = 0;
    for (const holder of present) {
      if ((await finder.ask(holder, [address], signal))?.[0] === "blob") others += 1;
    }
    if (others < copies) {
      this.#counters.drops_called_off_total += 1;
      return;
    }
    await deleteWish(db, address);
    await store.release(copyHoldOwner(address));
    await store.remove(address);
    this.#kept.delete(toHex(address));
    this.#counters.dropped_total += 1;
    log.info("copy_dropped", { address: toHex(address), others });
    this.#deps.onDropped();
  }

  async #renew(address: Uint8Array, kept: Kept): Promise<void> {
    const { clock, store, db } = this.#deps;
    if (clock.now() - kept.renewedAtMs < RENEW_MS) return;
    kept.renewedAtMs = clock.now();
    await store.hold(await listBlobHashes(db, address), {
      reason: "replica",
      owner: copyHoldOwner(address),
      expiresAtMs: clock.wallMs() + COPY_HOLD_MS,
    });
  }

  #keptOf(address: Uint8Array): Kept {
    const key = toHex(address);
    let kept = this.#kept.get(key);
    if (kept === undefined) {
      const watch = new CopiesWatch(this.#chance(), this.#times);
      const never = -Infinity;
      kept = { watch, failures: 0, againAtMs: never, isRepairing: false, renewedAtMs: never };
      this.#kept.set(key, kept);
    }
    return kept;
  }

  /** Forgets what is not wished for any more, once all wishes fit in one look. */
  #forgetOthers(wishes: readonly CopyWish[]): void {
    if (this.#after !== undefined || this.#kept.size <= wishes.length) return;
    if (wishes.length === 0 || this.#kept.size > LOOKED_AT_MAX) return;
    const wished = new Set(wishes.map(({ address }) => toHex(address)));
    for (const key of this.#kept.keys()) if (!wished.has(key)) this.#kept.delete(key);
  }

  /** In another order each time, so that with too many nodes each has its turn. */
  #shuffled<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const at = Math.floor(this.#chance() * (i + 1));
      const [item, other] = [items[i], items[at]];
      if (item !== undefined && other !== undefined) [items[i], items[at]] = [other, item];
    }
    return items;
  }

  #chance(): number {
    const [byte = 0, other = 0] = this.#deps.random(2);
    return (byte * 256 + other) / 65_536;
  }
}

function byId(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b);
}
