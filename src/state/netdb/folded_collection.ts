/** Rows of a folded log as a collection. */
import type { WriteToken } from "../../log/mod.ts";
import type { CortexAdapter } from "../cortex/types.ts";
import { areSameRows, type ModelEvent, type RowState } from "../models/rows.ts";
import type { Collection, RowQuery } from "./types.ts";
import { createRowQuery } from "./row_query.ts";

/** The one implementation of {@linkcode Collection}; those with writes of their own extend it. */
export class FoldedCollection<State extends RowState<Row, Filter>, Row, Filter extends object>
  implements Collection<Row, Filter>, AsyncDisposable {
  /** The fold behind it: watermarks, events set aside, raw appends. */
  readonly adapter: CortexAdapter<State>;

  constructor(adapter: CortexAdapter<State>) {
    this.adapter = adapter;
  }

  get size(): number {
    return this.adapter.state.size;
  }

  findUnique(id: bigint): Row | undefined {
    return this.adapter.state.get(id);
  }

  findMany(filter?: Filter): Row[] {
    return this.adapter.state.find(filter);
  }

  findFirst(filter?: Filter): Row | undefined {
    return this.adapter.state.first(filter);
  }

  count(filter?: Filter): number {
    return this.adapter.state.count(filter);
  }

  exists(filter?: Filter): boolean {
    return this.count(filter) > 0;
  }

  query(): RowQuery<Row, Filter> {
    return createRowQuery(this);
  }

  watch(filter?: Filter, signal?: AbortSignal): AsyncIterable<Row[]> {
    return copies(this.adapter.watch((state) => state.find(filter), this.#same, signal));
  }

  snapshotAndWatch(filter?: Filter, signal?: AbortSignal): {
    readonly snapshot: Row[];
    readonly changes: AsyncIterable<Row[]>;
  } {
    const query = (state: State) => state.find(filter);
    const { snapshot, changes } = this.adapter.snapshotAndWatch(query, this.#same, signal);
    return { snapshot: snapshot.slice(), changes: copies(changes) };
  }

  waitForToken(token: WriteToken, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    return this.adapter.waitForToken(token, timeoutMs, signal);
  }

  pollToken(token: WriteToken): boolean {
    return this.adapter.pollToken(token);
  }

  /** Stops folding; the log stays open, and the rows can still be read. */
  close(): Promise<void> {
    return this.adapter.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Appends an event of the model. */
  protected write({ dispatch, tail }: ModelEvent): WriteToken {
    return this.adapter.append(dispatch, tail);
  }

  readonly #same = (a: readonly Row[], b: readonly Row[]) =>
    areSameRows(a, b, (left, right) => this.adapter.state.isSame(left, right));
}

/** Results as arrays of the reader's own: it may change them, and the next one is still compared with what was found. */
function copies<Row>(results: AsyncIterable<Row[]>): AsyncIterable<Row[]> {
  return {
    [Symbol.asyncIterator]: () => {
      const source = results[Symbol.asyncIterator]();
      return {
        next: async () => {
          const result = await source.next();
          return result.done ? result : { done: false, value: result.value.slice() };
        },
        return: () => source.return?.() ?? Promise.resolve({ done: true, value: undefined }),
      };
    },
  };
}
