/** Sweeps a token cache again and again, or never (`identity-and-channels.md` 5). */
import type { Clock } from "../../base/mod.ts";
import { TOKEN_SWEEP_MS } from "./limits.ts";
import type { TokenCache } from "./token_cache.ts";

/** Options of {@linkcode startTokenSweep}. */
export interface TokenSweepOptions {
  /** Milliseconds between two sweeps, or `never`; 30 s when left out. */
  readonly everyMs?: number | "never";
}

/**
 * Drops expired tokens from `cache` until the result is called; with `never` no timer is set at all.
 *
 * @throws RangeError when `everyMs` is not above 0.
 */
export function startTokenSweep(
  cache: TokenCache,
  clock: Clock,
  options: TokenSweepOptions = {},
): () => void {
  const { everyMs = TOKEN_SWEEP_MS } = options;
  if (everyMs === "never") return () => {};
  if (!(everyMs > 0)) {
    throw new RangeError(`Cannot sweep tokens: everyMs is ${everyMs}, must be above 0 or "never"`);
  }
  let cancel = () => {};
  const wait = () => {
    cancel = clock.after(everyMs, () => {
      cache.evictExpired({ nowSeconds: clock.wallMs() / 1000 });
      wait();
    });
  };
  wait();
  return () => cancel();
}
