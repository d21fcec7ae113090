/** A number of bytes that several users share; who waits is served in order. */
export class ByteBudget {
  readonly #bytes: number;
  #free: number;
  readonly #waiting: { readonly bytes: number; readonly resolve: () => void }[] = [];

  constructor(bytes: number) {
    this.#bytes = bytes;
    this.#free = bytes;
  }

  /** What `bytes` cost here: nobody takes nothing, and nobody more than there is. */
  costOf(bytes: number): number {
    return Math.min(Math.max(bytes, 1), this.#bytes);
  }

  /** Takes bytes at once; false when others are before, or there are too few. */
  tryTake(cost: number): boolean {
    if (this.#waiting.length > 0 || this.#free < cost) return false;
    this.#free -= cost;
    return true;
  }

  /** Takes bytes as soon as there are so many. */
  take(cost: number): Promise<void> {
    if (this.tryTake(cost)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ bytes: cost, resolve }));
  }

  /** Gives bytes back. */
  give(cost: number): void {
    this.#free += cost;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#free < next.bytes) return;
      this.#free -= next.bytes;
      this.#waiting.shift();
      next.resolve();
    }
  }
}
