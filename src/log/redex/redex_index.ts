/**
 * An index over a channel of values (`storage.md` 4, RedexIndex): sets of members by key, folded from a tail.
 *
 * It follows the log by itself. Events that retention took before they were read may have taken anything out
 * of the sets, so the index forgets all and is what the events that are kept say; that is counted. Events
 * that are damaged or undecodable are counted and passed over.
 */
import { RedexError, tooMany } from "./error.ts";
import { INDEX_PAIRS_MAX, WAITING_MAX } from "./limits.ts";
import type { TypedFile, TypedTail, TypedTailItem } from "./typed_file.ts";

/** What an event does to an index. */
export type IndexChange<Key, Member> =
  | { readonly kind: "add" | "remove"; readonly key: Key; readonly member: Member }
  /** Removes the key with all its members. */
  | { readonly kind: "drop"; readonly key: Key };

/** Options of {@linkcode openRedexIndex}. */
export interface RedexIndexOptions<Value, Key, Member> {
  /** What a value does; keys and members are compared as a `Map` and a `Set` do. */
  readonly changesOf: (value: Value, seq: bigint) => Iterable<IndexChange<Key, Member>>;
  /** First event folded; the first one kept when left out. */
  readonly from?: bigint;
  /** Most pairs of key and member; the index stops with `limit` when there would be more. */
  readonly pairsMax?: number;
}

/** Counters of a {@linkcode RedexIndex}. */
export interface RedexIndexCounters {
  folded_total: number;
  /** Times that the index began anew because retention was faster. */
  lag_resets_total: number;
  /** Events that retention took, and that were damaged. */
  missing_total: number;
  /** Events that are no value, or that `changesOf` threw at. */
  set_aside_total: number;
}

/** Someone who waits for an event to be folded. */
interface Waiter {
  readonly seq: bigint;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const NONE: ReadonlySet<never> = new Set();

/**
 * Opens an index, which begins to follow the file at once.
 *
 * @throws RedexError as the file's `tail`.
 *
 * @example
 * ```ts
 * import { systemClock } from "../../base/mod.ts";
 * import { openRedex } from "./redex.ts";
 * import { openRedexIndex } from "./redex_index.ts";
 * import { postcardPayloads, typedFile } from "./typed_file.ts";
 * await using redex = openRedex({ clock: systemClock });
 * const words = typedFile(
 *   await redex.open("words"),
 *   postcardPayloads<string>({ write: (w, text) => w.text(text), read: (r) => r.text() }),
 * );
 * using index = openRedexIndex(words, {
 *   changesOf: (word, seq) => [{ kind: "add", key: word[0], member: seq }],
 * });
 * const seq = words.append("ada");
 * await index.waitForSeq(seq);
 * console.assert(index.get("a").has(seq));
 * ```
 */
export function openRedexIndex<Value, Key, Member>(
  file: TypedFile<Value>,
  options: RedexIndexOptions<Value, Key, Member>,
): RedexIndex<Value, Key, Member> {
  return new RedexIndex(file, options);
}

/** Sets by key, as far as the log was read. */
export class RedexIndex<Value, Key, Member> implements Disposable {
  readonly counters: RedexIndexCounters = {
    folded_total: 0,
    lag_resets_total: 0,
    missing_total: 0,
    set_aside_total: 0,
  };
  readonly #name: string;
  readonly #options: RedexIndexOptions<Value, Key, Member>;
  readonly #pairsMax: number;
  readonly #tail: TypedTail<Value>;
  readonly #sets = new Map<Key, Set<Member>>();
  /** Behind what was folded; the tail may be further. */
  #position: bigint;
  #pairs = 0;
  #waiters: Waiter[] = [];
  #isRunning = true;
  #failure: RedexError | undefined;

  /** As {@linkcode openRedexIndex}. */
  constructor(file: TypedFile<Value>, options: RedexIndexOptions<Value, Key, Member>) {
    this.#name = file.file.name;
    this.#options = options;
    this.#pairsMax = options.pairsMax ?? INDEX_PAIRS_MAX;
    this.#position = options.from ?? file.file.firstSeq;
    this.#tail = file.tail({ from: this.#position });
    void this.#run();
  }

  /** Number of the next event to be folded. */
  get position(): bigint {
    return this.#position;
  }

  /** False when it was closed, the file was closed, or it failed. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Why it stopped, when it did not end in order. */
  get failure(): RedexError | undefined {
    return this.#failure;
  }

  /** Keys that have members. */
  get size(): number {
    return this.#sets.size;
  }

  /** Members of a key now; do not change it. */
  get(key: Key): ReadonlySet<Member> {
    return this.#sets.get(key) ?? NONE;
  }

  has(key: Key, member: Member): boolean {
    return this.#sets.get(key)?.has(member) ?? false;
  }

  /** Keys that have members. */
  keys(): IterableIterator<Key> {
    return this.#sets.keys();
  }

  /**
   * Resolves when the event of this number was folded, or passed over.
   *
   * @throws RedexError `closed` or what made it stop, `limit` when too many wait; the signal's reason.
   */
  waitForSeq(seq: bigint, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (seq < this.position) return Promise.resolve();
    if (!this.#isRunning) return Promise.reject(this.#failure ?? this.#closed());
    if (this.#waiters.length >= WAITING_MAX) {
      return Promise.reject(tooMany("wait for the index of", this.#name));
    }
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(signal?.reason);
      };
      const settle = () => signal?.removeEventListener("abort", onAbort);
      const waiter: Waiter = {
        seq,
        resolve: () => (settle(), resolve()),
        reject: (error) => (settle(), reject(error)),
      };
      this.#waiters.push(waiter);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Stops following; what is in the sets stays. */
  close(): void {
    this.#tail.close();
    this.#stop();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #run(): Promise<void> {
    try {
      while (this.#isRunning) {
        const items = await this.#tail.take(1_024);
        if (items === undefined) break;
        for (const item of items) {
          this.#fold(item);
          this.#position = (item.kind === "lag" ? item.to : item.seq) + 1n;
        }
        this.#tellWaiters();
      }
    } catch (error) {
      this.#failure = error instanceof RedexError
        ? error
        : new RedexError("io", `Cannot index channel "${this.#name}"`, { cause: error });
    }
    this.#tail.close();
    this.#stop();
  }

  #fold(item: TypedTailItem<Value>): void {
    const { counters } = this;
    if (item.kind === "lag") {
      if (item.reason === "skipped") return;
      counters.missing_total += Number(item.to - item.from) + 1;
      if (item.reason === "damage") return;
      counters.lag_resets_total += 1;
      this.#sets.clear();
      this.#pairs = 0;
      return;
    }
    if (item.kind === "undecodable") {
      counters.set_aside_total += 1;
      return;
    }
    let changes: readonly IndexChange<Key, Member>[];
    try {
      changes = [...this.#options.changesOf(item.value, item.seq)];
    } catch {
      counters.set_aside_total += 1;
      return;
    }
    for (const change of changes) this.#apply(change);
    counters.folded_total += 1;
  }

  #apply(change: IndexChange<Key, Member>): void {
    const set = this.#sets.get(change.key);
    if (change.kind === "drop") {
      this.#pairs -= set?.size ?? 0;
      this.#sets.delete(change.key);
    } else if (change.kind === "remove") {
      if (set === undefined || !set.delete(change.member)) return;
      this.#pairs -= 1;
      if (set.size === 0) this.#sets.delete(change.key);
    } else if (set === undefined || !set.has(change.member)) {
      if (this.#pairs >= this.#pairsMax) throw this.#full();
      this.#pairs += 1;
      if (set === undefined) this.#sets.set(change.key, new Set([change.member]));
      else set.add(change.member);
    }
  }

  #tellWaiters(): void {
    if (this.#waiters.length === 0) return;
    const position = this.#position;
    for (const { seq, resolve } of this.#waiters) if (seq < position) resolve();
    this.#waiters = this.#waiters.filter(({ seq }) => seq >= position);
  }

  #stop(): void {
    this.#isRunning = false;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { reject } of waiters) reject(this.#failure ?? this.#closed());
  }

  #closed(): RedexError {
    return new RedexError("closed", `Cannot wait for the index of "${this.#name}": it has ended`);
  }

  #full(): RedexError {
    return new RedexError(
      "limit",
      `Cannot index channel "${this.#name}": it has ${this.#pairsMax} pairs, at most so many`,
      { next: "give the index a higher limit, or a key with fewer members" },
    );
  }
}
