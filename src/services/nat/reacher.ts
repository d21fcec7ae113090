/**
 * Sessions on demand (docs/nat.md): a node that is known only by its announcement is dialled through the
 * neighbour that leads to it, with the key that it announced. The session is sealed or there is none; whether
 * it can leave its relay is found out later, as with every relayed session.
 */
import { type Clock, idToHex, NetError, TokenBucket } from "../../base/mod.ts";
import { isPeerUp, type MeshTransport } from "../../core/transport/mod.ts";
import type { Log } from "../../observe/mod.ts";
import type { NoiseIdentity } from "./peer_knowledge.ts";

/** What {@linkcode Reacher} needs. */
export interface ReacherDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly transport: Pick<MeshTransport, "nodeId" | "dial" | "peer" | "nextHop">;
  /** What a node announced of its key, or else proved. */
  readonly keyOf: (nodeId: bigint) => NoiseIdentity | undefined;
  /** From now on sessions with a node must be sealed, and with this entity. */
  readonly requireSealing: (nodeId: bigint, entityId: Uint8Array) => void;
}

/** What was done, by the names of metrics. */
export interface ReachCounters {
  reach_attempted_total: number;
  reach_succeeded_total: number;
  reach_failed_total: number;
  /** Not tried, because too many were. */
  reach_limited_total: number;
  /** Not tried, because it failed a moment ago. */
  reach_held_off_total: number;
}

/** Nodes sought at once, and begun in a second: each costs a handshake, and a round trip over a relay. */
const ATTEMPTS_MAX = 64;
const ATTEMPTS_PER_SECOND = 64;
/** Patience of one handshake after the other; the last one is for slow ways. */
const PATIENCE_MS: readonly number[] = [500, 1_000, 2_000];
/** A node that did not answer is not tried again for so long, twice that the next time, and so on. */
const HOLD_OFF_MS = 1_000;
const HOLD_OFF_MS_MAX = 16_000;
/** Nodes that did not answer: 1,024 × about 150 B; the one that failed longest ago makes room. */
const FAILURES_MAX = 1_024;

interface Failure {
  /** Of the announcement that was current: a node that has said something since is worth another try. */
  readonly version: bigint;
  readonly holdOffMs: number;
  readonly until: number;
}

/** Makes sessions with nodes that are known by their announcements. */
export class Reacher {
  readonly counters: ReachCounters = {
    reach_attempted_total: 0,
    reach_succeeded_total: 0,
    reach_failed_total: 0,
    reach_limited_total: 0,
    reach_held_off_total: 0,
  };
  readonly #deps: ReacherDeps;
  readonly #running = new Map<bigint, Promise<void>>();
  readonly #failures = new Map<bigint, Failure>();
  readonly #rate: TokenBucket;
  readonly #abort = new AbortController();

  constructor(deps: ReacherDeps) {
    this.#deps = deps;
    this.#rate = new TokenBucket({ perSecond: ATTEMPTS_PER_SECOND }, deps.clock.now());
  }

  /** Nodes that are being reached now. */
  get running(): number {
    return this.#running.size;
  }

  /** Gives up what is under way. */
  stop(): void {
    this.#abort.abort(new NetError("not_ready", "Cannot reach nodes: the node is stopping"));
  }

  /**
   * Makes sure that there is a session with a node; everybody who asks meanwhile waits for the same attempt.
   *
   * @param signal Ends waiting; the attempt goes on.
   * @throws NetError `unreachable` when it can't be reached, `limit` when too many are sought; `data.why` says
   * the reason in words. The signal's reason when it is aborted.
   */
  reach(peer: bigint, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#isUp(peer)) return Promise.resolve();
    let attempt = this.#running.get(peer);
    if (attempt === undefined) {
      try {
        attempt = this.#begin(peer);
      } catch (error) {
        return Promise.reject(error);
      }
    }
    return signal === undefined ? attempt : untilAborted(attempt, signal);
  }

  /**
   * False for a node that did not answer a moment ago, and for one that was given up and that nothing leads to.
   */
  mayReach(peer: bigint): boolean {
    const { transport, keyOf, clock } = this.#deps;
    const state = transport.peer(peer)?.state;
    if (state === "connected" || state === "suspected") return true;
    const failure = this.#failures.get(peer);
    if (failure !== undefined && failure.until > clock.now()) {
      return (keyOf(peer)?.version ?? failure.version) !== failure.version;
    }
    return state !== "failed" ||
      (transport.nextHop(peer) !== undefined && keyOf(peer) !== undefined);
  }

  #begin(peer: bigint): Promise<void> {
    const { transport, keyOf, clock } = this.#deps;
    const { counters } = this;
    const known = keyOf(peer);
    if (known === undefined) {
      throw unreachable(
        peer,
        "it announced no key",
        "see net node peers; if it is not there, join with its ticket (net node start --join), or give " +
          `ADDR#${idToHex(peer)}#NOISEKEY to net node connect`,
      );
    }
    if (transport.nextHop(peer) === undefined) {
      throw unreachable(peer, "no route leads to it", "see net node routes");
    }
    const now = clock.now();
    const failure = this.#failures.get(peer);
    if (failure !== undefined && failure.until > now && failure.version === known.version) {
      counters.reach_held_off_total += 1;
      throw unreachable(peer, "it did not answer a moment ago", nextFor(peer));
    }
    if (this.#running.size >= ATTEMPTS_MAX || !this.#rate.take(1, now)) {
      counters.reach_limited_total += 1;
      const why = "too many nodes are being reached";
      throw new NetError("limit", `Cannot reach node ${idToHex(peer)}: ${why}`, {
        next: "try again in a moment",
        data: { why },
      });
    }
    counters.reach_attempted_total += 1;
    const attempt = this.#run(peer, known).finally(() => this.#running.delete(peer));
    // Whoever waits hears of it; perhaps nobody does any more.
    attempt.catch(() => {});
    this.#running.set(peer, attempt);
    return attempt;
  }

  async #run(peer: bigint, { entityId, noisePublicKey, version }: NoiseIdentity): Promise<void> {
    const { transport, log, requireSealing } = this.#deps;
    const { signal } = this.#abort;
    let failure: unknown;
    for (const patienceMs of PATIENCE_MS) {
      // Looked up each time: ways heal, and what was told of a node may have been pushed out.
      const hop = transport.nextHop(peer);
      if (hop === undefined) break;
      requireSealing(peer, entityId);
      const addresses = [hop.address];
      const target = { nodeId: peer, noisePublicKey, addresses, form: "routed" } as const;
      try {
        await transport.dial(target, patienceMs, signal);
      } catch (error) {
        signal.throwIfAborted();
        failure = error;
      }
      if (this.#isUp(peer)) {
        this.counters.reach_succeeded_total += 1;
        this.#failures.delete(peer);
        log.debug("peer_reached", { peer: idToHex(peer), via: idToHex(hop.nodeId) });
        return;
      }
      if (isRefused(failure)) break;
    }
    this.counters.reach_failed_total += 1;
    this.#noteFailure(peer, version);
    const why = isRefused(failure) ? "it is not who its announcement says" : "it does not answer";
    log.debug("peer_not_reached", { peer: idToHex(peer), reason: why });
    throw unreachable(peer, why, nextFor(peer), failure);
  }

  #noteFailure(peer: bigint, version: bigint): void {
    const before = this.#failures.get(peer);
    this.#failures.delete(peer);
    if (this.#failures.size >= FAILURES_MAX) {
      for (const oldest of this.#failures.keys()) {
        this.#failures.delete(oldest);
        break;
      }
    }
    const holdOffMs = before === undefined || before.version !== version
      ? HOLD_OFF_MS
      : Math.min(HOLD_OFF_MS_MAX, before.holdOffMs * 2);
    this.#failures.set(peer, { version, holdOffMs, until: this.#deps.clock.now() + holdOffMs });
  }

  #isUp(nodeId: bigint): boolean {
    const { transport } = this.#deps;
    const peer = transport.peer(nodeId);
    return nodeId === transport.nodeId || (peer !== undefined && isPeerUp(peer));
  }
}

function nextFor(peer: bigint): string {
  return `look for the reason with net doctor --peer ${idToHex(peer)}`;
}

function isRefused(failure: unknown): boolean {
  return failure instanceof NetError && failure.code === "handshake_refused";
}

function unreachable(peer: bigint, why: string, next: string, cause?: unknown): NetError {
  return new NetError("unreachable", `Cannot reach node ${idToHex(peer)}: ${why}`, {
    next,
    cause,
    data: { why },
  });
}

/** The outcome of an attempt that goes on without its callers, or the signal's reason if that comes first. */
async function untilAborted(attempt: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([attempt, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
