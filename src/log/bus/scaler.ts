/** Watches the shards of a bus, says which of them take events, and adds or drains some (`storage.md` 2.1, 2.3). */
import { type Clock, repeat } from "../../base/mod.ts";
import type { Log } from "../../observe/mod.ts";
import { BusError } from "./error.ts";
import { DRAIN_EMPTY_MS, DRAIN_POLL_MS, DRAIN_WAIT_MS } from "./limits.ts";
import type { ScalingPolicy } from "./scaling_policy.ts";
import type { Shard } from "./shard.ts";

/** What scaling needs of the bus. */
export interface ScalerDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** All there are, stopped ones too, by id. */
  readonly shards: ReadonlyMap<number, Shard>;
  /** Makes a shard, or brings a stopped one back. */
  readonly addShard: () => Shard;
  /** Average of the last window, 0 when nothing was pushed. */
  readonly takePushLatencyNs: () => number;
}

/** Shards whose weight is this much above the lowest still take events. */
const WEIGHT_SPREAD = 0.1;

interface ShardWatch {
  ingested: number;
  batches: number;
  /** Since when it has been underused. */
  idleSinceMs: number | undefined;
}

/** Keeps the number of shards and the list of those that take events. */
export class Scaler {
  /** Shards that take events now. */
  candidates: readonly Shard[] = [];
  readonly #deps: ScalerDeps;
  readonly #policy: ScalingPolicy | undefined;
  readonly #watches = new Map<number, ShardWatch>();
  #changedAtMs = -Infinity;
  #stop = () => {};
  #isStopped = false;
  /** Ends of the pauses that go on. */
  readonly #pauses = new Set<() => void>();

  constructor(deps: ScalerDeps, policy: ScalingPolicy | undefined) {
    this.#deps = deps;
    this.#policy = policy;
  }

  start(): void {
    this.#choose();
    if (this.#policy === undefined) return;
    this.#stop = repeat(this.#deps.clock, this.#policy.windowMs, () => this.#look());
  }

  stop(): void {
    this.#isStopped = true;
    this.#stop();
    for (const end of this.#pauses) end();
  }

  /** Adds shards, whatever the cooldown says. @throws BusError `config` beyond the policy's maximum. */
  up(count: number): number {
    const policy = this.#requirePolicy();
    const active = this.#active().length;
    if (!Number.isSafeInteger(count) || count < 1 || active + count > policy.shardsMax) {
      throw new BusError(
        "config",
        `Cannot add ${count} shards: ${active} are active, must be at most ${policy.shardsMax}`,
      );
    }
    for (let added = 0; added < count; added++) this.#add("by hand");
    return this.#active().length;
  }

  /** Drains shards, the newest first, and waits for them, at most two seconds. @throws BusError `config` below the minimum. */
  async down(count: number): Promise<number> {
    const policy = this.#requirePolicy();
    const active = this.#active();
    if (!Number.isSafeInteger(count) || count < 1 || active.length - count < policy.shardsMin) {
      throw new BusError(
        "config",
        `Cannot remove ${count} shards: ${active.length} are active, must be at least ${policy.shardsMin}`,
      );
    }
    const leaving = active.slice(active.length - count);
    for (const shard of leaving) this.#drain(shard, "by hand");
    for (let waited = 0; waited < DRAIN_WAIT_MS; waited += DRAIN_POLL_MS) {
      if (this.#isStopped || leaving.every(({ state }) => state === "stopped")) break;
      await this.#pause(DRAIN_POLL_MS);
    }
    return this.#active().length;
  }

  #requirePolicy(): ScalingPolicy {
    if (this.#policy !== undefined) return this.#policy;
    throw new BusError("config", "Cannot change the number of shards: scaling is off", {
      next: "create the bus without scaling: false",
    });
  }

  #active(): Shard[] {
    return [...this.#deps.shards.values()].filter(({ state }) => state === "active");
  }

  #choose(): void {
    const active = this.#active();
    if (this.#policy === undefined) {
      this.candidates = active;
      return;
    }
    const lowest = Math.min(...active.map(({ ring }) => ring.fill));
    this.candidates = active.filter(({ ring }) => ring.fill <= lowest + WEIGHT_SPREAD);
  }

  #look(): void {
    const { clock, takePushLatencyNs } = this.#deps;
    const policy = this.#requirePolicy();
    const nowMs = clock.now();
    const pushNs = takePushLatencyNs();
    const active = this.#active();
    let isBusy = pushNs > policy.pushLatencyMaxNs;
    let idle: Shard | undefined;
    for (const shard of active) {
      const watch = this.#watchOf(shard);
      const hasNew = shard.ingested > watch.ingested;
      const isSlow = shard.batches > watch.batches &&
        shard.flushMs * 1_000 > policy.flushLatencyMaxUs;
      isBusy ||= isSlow || shard.ring.fill > policy.fillMax;
      if (hasNew || shard.ring.fill >= policy.underusedFill) watch.idleSinceMs = undefined;
      else watch.idleSinceMs ??= nowMs;
      watch.ingested = shard.ingested;
      watch.batches = shard.batches;
      if (nowMs - (watch.idleSinceMs ?? nowMs) >= policy.scaleDownDelayMs) idle = shard;
    }
    const isCool = nowMs - this.#changedAtMs >= policy.cooldownMs;
    if (policy.isAutomatic && isCool) {
      if (isBusy && active.length < policy.shardsMax) this.#add("busy");
      else if (!isBusy && idle !== undefined && active.length > policy.shardsMin) {
        this.#drain(idle, "idle");
      }
    }
    this.#choose();
  }

  #watchOf(shard: Shard): ShardWatch {
    const watch = this.#watches.get(shard.id) ??
      { ingested: shard.ingested, batches: shard.batches, idleSinceMs: undefined };
    this.#watches.set(shard.id, watch);
    return watch;
  }

  #add(why: string): void {
    const shard = this.#deps.addShard();
    this.#changedAtMs = this.#deps.clock.now();
    this.#choose();
    this.#deps.log.debug("bus_shard_added", { shard: shard.id, why });
  }

  #drain(shard: Shard, why: string): void {
    shard.state = "draining";
    this.#changedAtMs = this.#deps.clock.now();
    this.#watches.delete(shard.id);
    this.#choose();
    this.#deps.log.debug("bus_shard_draining", { shard: shard.id, why });
    void this.#stopWhenEmpty(shard);
  }

  async #stopWhenEmpty(shard: Shard): Promise<void> {
    const { clock, log } = this.#deps;
    await shard.finish();
    const leftMs = Math.max(DRAIN_EMPTY_MS, shard.pushedAtMs + DRAIN_EMPTY_MS - clock.now());
    if (!this.#isStopped) await this.#pause(leftMs);
    if (this.#isStopped || shard.state !== "draining") return;
    shard.state = "stopped";
    log.debug("bus_shard_stopped", { shard: shard.id });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        this.#pauses.delete(end);
        resolve();
      };
      const cancel = this.#deps.clock.after(ms, end);
      this.#pauses.add(end);
    });
  }
}
