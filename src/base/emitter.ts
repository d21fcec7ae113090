/** Who is to be told of something that happens. */

/**
 * The handlers of one kind of event. They are called in the order they came in, one after the other;
 * what one throws is the caller's, and the rest are not called.
 *
 * @example
 * ```ts
 * import { Emitter } from "./emitter.ts";
 * const moved = new Emitter<[who: string, where: number]>();
 * const seen: string[] = [];
 * const off = moved.on((who, where) => seen.push(`${who} at ${where}`));
 * moved.emit("a", 1);
 * off();
 * moved.emit("a", 2);
 * console.assert(seen.length === 1);
 * ```
 */
export class Emitter<Args extends readonly unknown[]> {
  readonly #handlers = new Set<(...args: Args) => void>();

  /** Adds a handler; the result takes it away again. */
  on(handler: (...args: Args) => void): () => void {
    this.#handlers.add(handler);
    return () => void this.#handlers.delete(handler);
  }

  /** Calls every handler. */
  emit(...args: Args): void {
    for (const handler of this.#handlers) handler(...args);
  }
}
