/**
 * Items of a stream as they go to a program: those that have come go together, so that short ones cost no
 * message each (`nrpc.md` 7 to 9).
 */
import type { Clock } from "../../base/mod.ts";

/** Items of one batch, and bytes after which it is not added to. */
const BATCH_ITEMS_MAX = 256;
const BATCH_BYTES_MAX = 128 * 1024;

/**
 * Reads a stream in batches; nobody else may read it.
 *
 * @example
 * ```ts
 * import { systemClock } from "../../base/mod.ts";
 * import { ItemBatches } from "./rpc_batches.ts";
 * async function* items() {
 *   for (let n = 0; n < 3; n++) yield new Uint8Array(n);
 * }
 * const batches = new ItemBatches(items(), systemClock);
 * console.assert((await batches.next())?.length === 3);
 * console.assert(await batches.next() === undefined);
 * ```
 */
export class ItemBatches {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #clock: Pick<Clock, "soon">;
  /** What was asked of the source and has not been handed on. */
  #pending: Promise<IteratorResult<Uint8Array>> | undefined;

  constructor(source: AsyncIterator<Uint8Array>, clock: Pick<Clock, "soon">) {
    this.#source = source;
    this.#clock = clock;
  }

  /**
   * The next item, as soon as it comes, and those that came with it; `undefined` after the last.
   *
   * @throws Whatever ended the stream, once all items before it were handed on.
   */
  async next(): Promise<readonly Uint8Array[] | undefined> {
    const first = await this.#ask();
    this.#pending = undefined;
    if (first.done) return undefined;
    const batch = [first.value];
    let bytes = first.value.length;
    const turn = new Promise<undefined>((resolve) => this.#clock.soon(() => resolve(undefined)));
    while (batch.length < BATCH_ITEMS_MAX && bytes < BATCH_BYTES_MAX) {
      // An end and an error stay pending: they are for the next time.
      const came = await Promise.race([this.#ask().catch(() => undefined), turn]);
      if (came === undefined || came.done) break;
      this.#pending = undefined;
      batch.push(came.value);
      bytes += came.value.length;
    }
    return batch;
  }

  #ask(): Promise<IteratorResult<Uint8Array>> {
    if (this.#pending === undefined) {
      this.#pending = this.#source.next();
      // Who reads no further need not hear how it ended.
      this.#pending.catch(() => {});
    }
    return this.#pending;
  }
}
