/**
 * The channels a node runs (`identity-and-channels.md` 9, feature CH-03): by exact name, else by the longest
 * prefix; by hash only where one name alone has it, because hashes collide.
 */
import { NetError } from "../base/mod.ts";
import { type ChannelConfig, configChannel } from "./channel_config.ts";
import type { ChannelId } from "./channel_id.ts";
import { CHANNELS_MAX, PREFIXES_MAX } from "./limits.ts";

/** What prefixes end with. */
const SEPARATORS: ReadonlySet<string> = new Set("/.");

/** One channel that is registered by name. */
export interface RegisteredChannel {
  readonly id: ChannelId;
  readonly config: ChannelConfig;
}

/** What a name resolves to. */
export interface ResolvedChannel {
  readonly config: ChannelConfig;
  /** The part of the name behind the prefix; `undefined` when the name itself is registered. */
  readonly suffix: string | undefined;
}

/**
 * Configurations of channels.
 *
 * @example
 * ```ts
 * import { createChannelConfig, createPrefixConfig } from "./channel_config.ts";
 * import { ChannelRegistry } from "./channel_registry.ts";
 * const registry = new ChannelRegistry();
 * registry.set(createPrefixConfig("logs/"));
 * registry.set(createChannelConfig("logs/audit", { isReliable: true }));
 * console.assert(registry.resolve("logs/app")?.suffix === "app");
 * console.assert(registry.resolve("logs/audit")?.config.isReliable === true);
 * ```
 */
export class ChannelRegistry {
  readonly #exact = new Map<string, RegisteredChannel>();
  readonly #prefixes = new Map<string, ChannelConfig>();
  readonly #byHash = new Map<bigint, ChannelConfig[]>();
  readonly #byWireHash = new Map<number, RegisteredChannel[]>();

  /** Number of names and prefixes. */
  get size(): number {
    return this.#exact.size + this.#prefixes.size;
  }

  /**
   * Adds a configuration, or replaces the one of the same name.
   *
   * @throws NetError `limit` when there are too many.
   */
  set(config: ChannelConfig): void {
    const id = configChannel(config);
    const isKnown = this.get(config.name) !== undefined;
    if (!isKnown) this.#requireRoom(config);
    else this.delete(config.name);
    if (id === undefined) {
      this.#prefixes.set(config.name, config);
      return;
    }
    this.#exact.set(config.name, { id, config });
    this.#byHash.set(id.hash, [...this.#byHash.get(id.hash) ?? [], config]);
    const sharers = this.#byWireHash.get(id.wireHash) ?? [];
    this.#byWireHash.set(id.wireHash, [...sharers, { id, config }]);
  }

  /** Removes a name or prefix; false when it was not there. */
  delete(name: string): boolean {
    const wasPrefix = this.#prefixes.delete(name);
    const registered = this.#exact.get(name);
    if (registered === undefined) return wasPrefix;
    this.#exact.delete(name);
    const { hash, wireHash } = registered.id;
    remove(this.#byHash, hash, (config) => config.name === name);
    remove(this.#byWireHash, wireHash, ({ id }) => id.name === name);
    return true;
  }

  /** The configuration registered under exactly this name or prefix. */
  get(name: string): ChannelConfig | undefined {
    return this.#exact.get(name)?.config ?? this.#prefixes.get(name);
  }

  /** The configuration that a channel is run by. */
  resolve(name: string): ResolvedChannel | undefined {
    const exact = this.#exact.get(name);
    if (exact !== undefined) return { config: exact.config, suffix: undefined };
    if (this.#prefixes.size === 0) return undefined;
    // Prefixes end with a / or . and are shorter than the name; the longest one counts.
    for (let end = name.length - 1; end > 0; end--) {
      if (!SEPARATORS.has(name.charAt(end - 1))) continue;
      const config = this.#prefixes.get(name.slice(0, end));
      if (config !== undefined) return { config, suffix: name.slice(end) };
    }
    return undefined;
  }

  /** The configuration of the one registered name with this canonical hash; none when several have it. */
  byHash(hash: bigint): ChannelConfig | undefined {
    const configs = this.#byHash.get(hash) ?? [];
    return configs.length === 1 ? configs[0] : undefined;
  }

  /** The same by the 16 bits of a packet header. */
  byWireHash(wireHash: number): ChannelConfig | undefined {
    const sharers = this.#byWireHash.get(wireHash) ?? [];
    return sharers.length === 1 ? sharers[0]?.config : undefined;
  }

  /** Every registered name with these 16 bits, in order (promise 88). */
  sharersOf(wireHash: number): readonly string[] {
    return (this.#byWireHash.get(wireHash) ?? []).map(({ id }) => id.name).sort();
  }

  /** Everything registered by its very name, in no particular order. */
  exact(): Iterable<RegisteredChannel> {
    return this.#exact.values();
  }

  /** Everything registered, in the order of names. */
  values(): ChannelConfig[] {
    const exact = Array.from(this.#exact.values(), ({ config }) => config);
    return [...exact, ...this.#prefixes.values()].sort((a, b) => a.name < b.name ? -1 : 1);
  }

  #requireRoom({ name, isPrefix }: ChannelConfig): void {
    const [size, max] = isPrefix
      ? [this.#prefixes.size, PREFIXES_MAX]
      : [this.#exact.size, CHANNELS_MAX];
    if (size < max) return;
    const what = isPrefix ? "prefixes" : "channels";
    throw new NetError(
      "limit",
      `Cannot register channel "${name}": there are ${size} ${what}, must be at most ${max}`,
      { next: "remove others with net channel rm, or register a prefix for all of them" },
    );
  }
}

function remove<K, V>(lists: Map<K, V[]>, key: K, isGone: (value: V) => boolean): void {
  const left = (lists.get(key) ?? []).filter((value) => !isGone(value));
  if (left.length === 0) lists.delete(key);
  else lists.set(key, left);
}
