/**
 * Which adapter the blobs of a channel are published with, and through which they are read (`dataforts.md` 8).
 *
 * A channel may have a registry of its own; otherwise the node's is used. Reading goes by the scheme of each
 * reference alone.
 */
import { type AdapterCallOptions, type BlobAdapter, BlobAdapterError, showUri } from "./adapter.ts";
import type { AdapterRegistry } from "./adapter_registry.ts";

/** Channels with a choice of their own; each takes a name and an id. */
export const CHANNEL_CHOICES_MAX = 4_096;

/** What a channel has chosen. */
export interface ChannelChoice {
  /** Id of the adapter that its blobs are published with. */
  readonly adapterId?: string;
  /** Adapters of this channel alone. */
  readonly registry?: AdapterRegistry;
}

/** The choices of channels over one registry of the node. */
export class ChannelAdapters {
  readonly #registry: AdapterRegistry;
  readonly #choices = new Map<string, ChannelChoice>();

  constructor(registry: AdapterRegistry) {
    this.#registry = registry;
  }

  /**
   * Sets the choice of a channel; without one it has none again.
   *
   * @throws BlobAdapterError `adapter_not_registered` for an id that its registry has not, `limit`.
   */
  choose(channel: string, choice: ChannelChoice | undefined): void {
    if (choice === undefined) {
      this.#choices.delete(channel);
      return;
    }
    const { adapterId, registry = this.#registry } = choice;
    if (adapterId !== undefined) registry.get(adapterId);
    if (!this.#choices.has(channel) && this.#choices.size >= CHANNEL_CHOICES_MAX) {
      throw new BlobAdapterError(
        "limit",
        `Cannot choose an adapter for "${
          showUri(channel)
        }": ${CHANNEL_CHOICES_MAX} channels have one`,
      );
    }
    this.#choices.set(channel, choice);
  }

  /** The registry that a channel's references are read with. */
  registryOf(channel: string): AdapterRegistry {
    return this.#choices.get(channel)?.registry ?? this.#registry;
  }

  /**
   * The adapter that a channel's blobs are published with.
   *
   * @throws BlobAdapterError `adapter_not_configured`, `adapter_not_registered`.
   */
  publisherOf(channel: string): BlobAdapter {
    const id = this.#choices.get(channel)?.adapterId;
    if (id !== undefined) return this.registryOf(channel).get(id);
    throw new BlobAdapterError(
      "adapter_not_configured",
      `Cannot publish a blob on "${showUri(channel)}": no adapter was chosen for the channel`,
      { next: "choose one with net blob adapter use" },
    );
  }

  /**
   * Stores bytes with the channel's adapter; the payload that goes on the channel in their place.
   *
   * @throws BlobAdapterError as {@linkcode AdapterRegistry.publish}, and of `publisherOf`.
   */
  async publish(
    channel: string,
    uri: string,
    bytes: Uint8Array,
    options?: AdapterCallOptions,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { id } = this.publisherOf(channel);
    return await this.registryOf(channel).publish(id, uri, bytes, options);
  }

  /**
   * The bytes of a payload of a channel: itself, or what it refers to.
   *
   * @throws BlobAdapterError as {@linkcode AdapterRegistry.resolveByScheme}.
   */
  resolve(
    channel: string,
    payload: Uint8Array,
    options?: AdapterCallOptions,
  ): Promise<Uint8Array> {
    return this.registryOf(channel).resolveByScheme(payload, options);
  }
}
