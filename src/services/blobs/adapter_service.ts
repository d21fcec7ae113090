/**
 * The adapters of a node: stores beside its own that blobs can be copied to and from, and through which references
 * on channels are published and read (`dataforts.md` 8, `promises.md` 47 and 48).
 *
 * One that cannot be opened is listed with what is wrong, and the others work. Programs add their own, each call of
 * which has a deadline.
 */
import { NetError, STOPPING_NEXT, toNetError } from "../../base/mod.ts";
import {
  BLOB_BYTES_MAX,
  type BlobTarget,
  type ByteSource,
  describeTarget,
  encodeBlobRef,
  formatAddress,
  formatMeshUri,
  parseAddress,
  readPayload,
  S3Adapter,
  type StoredBlob,
  storeFrom,
  streamFrom,
  streamSource,
} from "../../blob/mod.ts";
import { blake3 } from "../../core/crypto/mod.ts";
import type { Service, ServiceHealth } from "../../kernel/mod.ts";
import type { MetricRegistry } from "../../observe/mod.ts";
import type { LogService } from "../log/mod.ts";
import { copyBlob } from "./adapter_copy.ts";
import { smallRef } from "./adapter_opener.ts";
import { AdapterTable, type AdapterTableDeps, OWN_ADAPTER_ID } from "./adapter_table.ts";
import type { BlobService } from "./blob_service.ts";

/** What {@linkcode AdapterService} needs. */
export interface AdapterServiceDeps extends AdapterTableDeps {
  readonly metrics: MetricRegistry;
  readonly blobs: Pick<BlobService, "getInto">;
  readonly logs: Pick<LogService, "read" | "append">;
}

/** A blob that was copied to an adapter. */
export interface PushedBlob {
  readonly uri: string;
  /** The encoded reference, for channels. */
  readonly blobRef: Uint8Array;
  readonly address: string;
}

/** Time a node has for other things before it looks for what calls left behind in stores. */
const SWEEP_DELAY_MS = 60_000;

/** Adapters of a node. */
export class AdapterService extends AdapterTable implements Service {
  readonly name = "adapters";
  readonly #deps: AdapterServiceDeps;
  readonly #stopped = new AbortController();
  #cancelSweep = () => {};

  constructor(deps: AdapterServiceDeps) {
    super(deps);
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { clock, metrics } = this.#deps;
    await this.load();
    metrics.register("adapters", () => this.#counters());
    this.#cancelSweep = clock.after(SWEEP_DELAY_MS, () => void this.#sweep());
  }

  async stop(): Promise<void> {
    this.#cancelSweep();
    this.#stopped.abort(new NetError("draining", "The node stops", { next: STOPPING_NEXT }));
    await this.settled();
  }

  health(): ServiceHealth {
    const failed = this.list().filter(({ error }) => error !== undefined).map(({ id }) => id);
    if (failed.length === 0) return { state: "healthy" };
    return { state: "degraded", detail: `adapters that cannot be used: ${failed.join(", ")}` };
  }

  /**
   * Stores, reads and removes a few bytes; how long that took, in seconds.
   *
   * @throws NetError of the adapter, `integrity` when it gives other bytes than it got.
   */
  async check(id: string, signal?: AbortSignal): Promise<{ readonly seconds: number }> {
    const { clock, random } = this.#deps;
    const adapter = this.require(id);
    const startedAt = clock.now();
    const bytes = random(64);
    const ref = smallRef(adapter, blake3(bytes), bytes.length);
    await adapter.store(ref, bytes, { signal });
    if (this.view(id).kind !== "noop") {
      const back = await adapter.fetch(ref, { signal });
      if (back.toHex() !== bytes.toHex()) {
        throw new NetError(
          "integrity",
          `Cannot use adapter "${id}": it gives other bytes than it got`,
        );
      }
    }
    await adapter.delete(ref, { signal });
    return { seconds: (clock.now() - startedAt) / 1000 };
  }

  /**
   * Copies a blob of this node or of the mesh to an adapter, as one piece.
   *
   * @throws NetError `not_found`, `limit` above 16 GiB; of the adapter.
   */
  async push(id: string, target: BlobTarget, signal?: AbortSignal): Promise<PushedBlob> {
    const adapter = this.require(id);
    const record = await this.#deps.store.stat(hashOf(target));
    if (record?.kind === "directory") {
      throw new NetError("usage", `Cannot copy ${describeTarget(target)}: it is a folder`, {
        next: "copy its files one by one",
      });
    }
    // Known here, a blob is named by its whole hash whatever it was asked for by.
    const hash = record?.address ?? hashOf(target);
    if (id === OWN_ADAPTER_ID && record !== undefined) {
      const { blobRef } = record;
      return { uri: formatMeshUri(hash), blobRef, address: formatAddress(hash) };
    }
    const size = record === undefined ? 0 : Number(record.size);
    if (size > BLOB_BYTES_MAX) {
      throw new NetError(
        "limit",
        `Cannot copy blob: it has ${size} bytes, at most ${BLOB_BYTES_MAX} go`,
      );
    }
    const ref = smallRef(adapter, hash, size);
    const store = (source: ByteSource, ended: AbortSignal) =>
      storeFrom(adapter, ref, source, { signal: ended });
    const signals = [this.#stopped.signal, ...(signal === undefined ? [] : [signal])];
    await copyBlob(this.#deps.blobs, target, store, signals);
    return { uri: ref.uri, blobRef: encodeBlobRef(ref), address: formatAddress(hash) };
  }

  /**
   * Copies a blob to the adapter of a channel, and appends its reference to the channel's log. A failure before that
   * leaves the blob in the store and nothing published.
   *
   * @throws NetError as {@linkcode AdapterService.push}; `config_invalid` for a channel without an adapter; what the
   * log throws.
   */
  async publish(
    channel: string,
    target: BlobTarget,
    signal?: AbortSignal,
  ): Promise<PushedBlob & { readonly seq: bigint }> {
    const chosen = this.choices()[channel];
    // One that was chosen and is broken says itself what is wrong with it.
    const { id } = chosen === undefined ? this.channels.publisherOf(channel) : this.require(chosen);
    const pushed = await this.push(id, target, signal);
    const { first } = await this.#deps.logs.append(channel, [pushed.blobRef], { isDurable: true });
    return { ...pushed, seq: first };
  }

  /**
   * Copies a blob from an adapter into this node's store, by the hash of the whole.
   *
   * @throws NetError of the adapter, `no_space`. Nothing is kept then.
   */
  async pull(id: string, hash: Uint8Array, signal?: AbortSignal): Promise<StoredBlob> {
    const adapter = this.require(id);
    const ref = smallRef(adapter, hash, 0);
    const source = streamSource(ReadableStream.from(streamFrom(adapter, ref, { signal })));
    try {
      // A stream ends with an error when the whole was not right, and then nothing is recorded.
      const stored = await this.#deps.store.put(source, { signal });
      if (stored.hash.toHex() === hash.toHex()) return stored;
      await this.#deps.store.remove(stored.hash);
      throw new NetError(
        "integrity",
        `Cannot copy ${formatAddress(hash)}: adapter "${id}" gave another`,
      );
    } finally {
      await source.close();
    }
  }

  /**
   * The bytes of an event of a log: its payload as it is, or what it refers to, through the adapter of the
   * reference's scheme.
   *
   * @throws NetError `not_found` for an event that is not there; of the adapter.
   */
  async resolveAt(channel: string, seq: bigint, signal?: AbortSignal): Promise<ResolvedEvent> {
    const event = await this.#deps.logs.read(channel, seq);
    if (event === undefined) {
      throw new NetError(
        "not_found",
        `Cannot resolve event ${seq} of "${channel}": there is none`,
        {
          next: "net log read says which events there are",
        },
      );
    }
    const ref = readPayload(event.payload);
    const bytes = await this.channels.resolve(channel, event.payload, { signal });
    return { bytes, uri: ref?.uri };
  }

  async #sweep(): Promise<void> {
    for (const adapter of this.adapters) {
      try {
        const removed = await adapter.sweep?.({ signal: this.#stopped.signal }) ?? 0;
        if (removed > 0) this.#deps.log.info("adapter_swept", { id: adapter.id, removed });
      } catch (error) {
        if (this.#stopped.signal.aborted) return;
        const { message } = toNetError(error, "Cannot sweep");
        this.#deps.log.warn("adapter_sweep_failed", { id: adapter.id, reason: message });
      }
    }
  }

  #counters(): Record<string, number> {
    const sums = { s3_requests_total: 0, s3_retries_total: 0, s3_failures_total: 0 };
    for (const adapter of this.adapters) {
      if (!(adapter instanceof S3Adapter)) continue;
      sums.s3_requests_total += adapter.counters.requests_total;
      sums.s3_retries_total += adapter.counters.retries_total;
      sums.s3_failures_total += adapter.counters.failures_total;
    }
    return { adapters: this.list().length, ...sums };
  }
}

/** An event's bytes, and the reference they came by. */
export interface ResolvedEvent {
  readonly bytes: Uint8Array;
  /** `undefined` for a payload that stands for itself. */
  readonly uri: string | undefined;
}

function hashOf(target: BlobTarget): Uint8Array {
  if (target.kind === "address" || target.kind === "small") return target.hash;
  const hash = parseAddress(target.uri);
  if (hash !== undefined) return hash;
  throw new NetError("usage", "Cannot find blob: the reference does not name its whole hash", {
    next: "give its b3: address instead",
  });
}
