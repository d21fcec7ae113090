/** Work on a channel during which nobody else may have its file open, one after the other. */

/** One lock per channel, as long as somebody wants it. */
export class ChannelLocks {
  readonly #held = new Map<string, Promise<void>>();

  /** Resolves when nobody works on the channel alone. */
  async whenFree(channel: string): Promise<void> {
    for (;;) {
      const held = this.#held.get(channel);
      if (held === undefined) return;
      await held;
    }
  }

  /** Runs work alone. */
  async run<T>(channel: string, work: () => Promise<T>): Promise<T> {
    await this.whenFree(channel);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held.set(channel, promise);
    try {
      return await work();
    } finally {
      this.#held.delete(channel);
      resolve();
    }
  }
}
