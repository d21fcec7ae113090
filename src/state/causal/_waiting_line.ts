/** The chains of a receiver that hold something back, in the order in which they are given up. */
import { RECEIVER_GAPS_MAX } from "./limits.ts";
import type { ReceivedChain } from "./_received_chain.ts";

/** Has to be told of every change of a chain. */
export class WaitingLine {
  /** Those that wait longest first. */
  readonly #waiting = new Set<ReceivedChain>();
  /** Those of them whose next event is missing. */
  readonly #gapped = new Set<ReceivedChain>();

  get oldest(): ReceivedChain | undefined {
    const [oldest] = this.#waiting;
    return oldest;
  }

  has(chain: ReceivedChain): boolean {
    return this.#waiting.has(chain);
  }

  /** Puts a chain where it belongs after it changed; time must not have gone back since the last call. */
  update(chain: ReceivedChain): void {
    if (chain.hasGap) this.#gapped.add(chain);
    else this.#gapped.delete(chain);
    const since = chain.held === 0 ? undefined : chain.waitsSinceMs;
    if (since === chain.inLineSinceMs) return;
    chain.inLineSinceMs = since;
    this.#waiting.delete(chain);
    if (since !== undefined) this.#waiting.add(chain);
  }

  remove(chain: ReceivedChain): void {
    this.#waiting.delete(chain);
    this.#gapped.delete(chain);
  }

  /** Those that wait since then or longer; whoever misses events comes first, because others may wait for those. */
  since(ms: number): ReceivedChain[] {
    const late: ReceivedChain[] = [];
    for (const chain of this.#waiting) {
      if (chain.waitsSinceMs > ms) break;
      late.push(chain);
    }
    return late.sort((left, right) => Number(right.hasGap) - Number(left.hasGap));
  }

  /** The first chain with a gap, but this one, that a writer with these Bloom bits may have seen. */
  gapOf(chain: ReceivedChain, horizon: bigint): ReceivedChain | undefined {
    if (horizon === 0n) return undefined;
    let gaps = 0;
    for (const other of this.#gapped) {
      if (other !== chain && (horizon & other.bits) === other.bits) return other;
      if (++gaps === RECEIVER_GAPS_MAX) return undefined;
    }
    return undefined;
  }
}
