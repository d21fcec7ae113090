/**
 * The token service: which issuers were taken back, and the tokens this node keeps
 * (`identity-and-channels.md` 5 and 7).
 *
 * The floors come from the user's revocations file, which `net token revoke` and other programs write;
 * the service follows it, so that a revocation counts within seconds and without a restart. Floors only
 * rise: a file that shrinks or breaks while the node runs takes nothing back.
 */
import { type Clock, isMissing, toNetError } from "../base/mod.ts";
import {
  readRevocationFile,
  RevocationRegistry,
  startTokenSweep,
  TokenCache,
} from "../channel/mod.ts";
import type { Service, ServiceHealth } from "../kernel/mod.ts";
import type { Log, MetricRegistry } from "../observe/mod.ts";

/** Time between two looks at the revocations file, which cost one `stat` each. */
const LOOK_MS = 2_000;

/** What {@linkcode TokenService} needs. */
export interface TokenServiceDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricRegistry;
}

/** Options of {@linkcode TokenService}. */
export interface TokenServiceOptions {
  /** Absolute path of the revocations file; `undefined` for none. */
  readonly revocationFile: string | undefined;
  /** Milliseconds between two sweeps of the token cache, or `never`; 30 s when left out. */
  readonly sweepMs?: number | "never";
}

/** Revocations and tokens of a node. */
export class TokenService implements Service {
  readonly name = "tokens";
  readonly revocations = new RevocationRegistry();
  readonly cache = new TokenCache({ revocations: this.revocations });
  readonly #deps: TokenServiceDeps;
  readonly #options: TokenServiceOptions;
  #stopSweep = () => {};
  #stopLooking = () => {};
  #isStopped = false;
  #looking: Promise<void> = Promise.resolve();
  /** What the file was when it was read. */
  #seen: string | undefined;
  #fault: string | undefined;

  constructor(deps: TokenServiceDeps, options: TokenServiceOptions) {
    this.#deps = deps;
    this.#options = options;
    deps.metrics.register("tokens", () => ({
      ...this.revocations.counters,
      ...this.cache.counters,
      revoked_issuers: this.revocations.size,
      token_cache_tokens: this.cache.size,
    }));
  }

  /**
   * Reads the revocations and begins to follow them.
   *
   * @throws NetError `config_invalid` when the file is damaged: without it, tokens that were taken back
   * would count again.
   */
  async start(): Promise<void> {
    const { clock } = this.#deps;
    const { revocationFile, sweepMs } = this.#options;
    this.#stopSweep = startTokenSweep(this.cache, clock, { everyMs: sweepMs });
    if (revocationFile === undefined) return;
    await this.#read(revocationFile, await describeFile(revocationFile));
    this.#lookLater(revocationFile);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopSweep();
    this.#stopLooking();
    await this.#looking;
  }

  health(): ServiceHealth {
    if (this.#fault === undefined) return { state: "healthy" };
    return { state: "degraded", detail: this.#fault };
  }

  #lookLater(path: string): void {
    this.#stopLooking = this.#deps.clock.after(LOOK_MS, () => {
      this.#looking = this.#look(path).then(() => {
        if (!this.#isStopped) this.#lookLater(path);
      });
    });
  }

  async #look(path: string): Promise<void> {
    try {
      const described = await describeFile(path);
      if (described !== this.#seen) await this.#read(path, described);
      this.#fault = undefined;
    } catch (error) {
      const { message } = toNetError(error, "Cannot read revocations");
      if (message !== this.#fault) {
        this.#deps.log.warn("revocations_unreadable", { reason: message });
      }
      this.#fault = message;
    }
  }

  async #read(path: string, described: string): Promise<void> {
    const { revision } = this.revocations;
    for (const { issuer, floor } of await readRevocationFile(path)) {
      this.revocations.revokeBelow(issuer, floor);
    }
    this.#seen = described;
    if (this.revocations.revision === revision) return;
    this.#deps.log.info("revocations_read", { issuers: this.revocations.size });
  }
}

/** Changes whenever somebody replaces the file or writes to it. */
async function describeFile(path: string): Promise<string> {
  try {
    const { ino, size, mtime } = await Deno.stat(path);
    return `${ino} ${size} ${mtime?.getTime()}`;
  } catch (error) {
    if (isMissing(error)) return "missing";
    throw toNetError(error, `Cannot read revocations "${path}"`);
  }
}
