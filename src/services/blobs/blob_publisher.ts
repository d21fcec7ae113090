/**
 * Publishes a blob: its encoded reference becomes the event, once the blob is as durable as was asked
 * (`dataforts.md` 9; promises 39, 40 and 59). The receipt has a token; waiting on that ends when the event is on
 * the device and folded, and the chunks are where they shall be.
 *
 * What fails before the event leaves the blob stored and nothing published.
 */
import { fromHex, NetError, toHex } from "../../base/mod.ts";
import { type BlobRecord, type BlobStore, COPIES_MAX } from "../../blob/mod.ts";
import { formatWriteToken, parseWriteToken, type WriteToken } from "../../log/mod.ts";
import type { LogService, StateService } from "../log/mod.ts";
import type { PublishReport } from "../../channel/mod.ts";
import type { ReplicaReceipt, ReplicateOptions } from "./replicator.ts";

/** What {@linkcode BlobPublisher} needs; the last two are `undefined` where no mesh runs. */
export interface BlobPublisherDeps {
  readonly store: Pick<BlobStore, "stat" | "sync">;
  readonly logs: Pick<LogService, "append" | "openExisting">;
  readonly state: Pick<StateService, "whenFolded">;
  readonly replicas:
    | { replicate(address: Uint8Array, options: ReplicateOptions): Promise<ReplicaReceipt> }
    | undefined;
  readonly channels:
    | { publish(name: string, events: readonly Uint8Array[]): Promise<PublishReport> }
    | undefined;
}

/** Where the event goes: into the log of a channel, or to who is subscribed to it now. */
export type BlobEventPlace = "log" | "channel";

/** Options of {@linkcode BlobPublisher.publish}. */
export interface PublishBlobOptions {
  readonly place: BlobEventPlace;
  readonly channel: string;
  /** Other nodes that shall hold every chunk before the event goes out; none when left out. */
  readonly peers?: number;
  /** Milliseconds that they may take; a minute when left out. */
  readonly waitMs?: number;
  readonly onProgress?: ReplicateOptions["onProgress"];
  readonly signal?: AbortSignal;
}

/** What a write promises to whoever holds it. */
export interface BlobToken {
  readonly address: Uint8Array;
  readonly peers: number;
  /** The event in the log of a channel; `undefined` for one that went to subscribers only. */
  readonly event: { readonly channel: string; readonly token: WriteToken } | undefined;
}

/** A published blob. */
export interface BlobPublished {
  readonly record: BlobRecord;
  readonly token: BlobToken;
  readonly receipt: ReplicaReceipt | undefined;
  /** What became of the event at the subscribers. */
  readonly report: PublishReport | undefined;
}

const WAIT_MS = 60_000;
const MARK = "blob1";
const CHANNEL = /^[a-z0-9\-_./]{1,255}$/;

/**
 * The text of a token.
 *
 * @example
 * ```ts
 * import { formatBlobToken, parseBlobToken } from "./blob_publisher.ts";
 * const token = { address: new Uint8Array(32), peers: 2, event: undefined };
 * console.assert(parseBlobToken(formatBlobToken(token))?.peers === 2);
 * ```
 */
export function formatBlobToken({ address, peers, event }: BlobToken): string {
  const text = `${MARK}~${toHex(address)}~${peers}`;
  return event === undefined ? text : `${text}~${event.channel}~${formatWriteToken(event.token)}`;
}

/** Reads what {@linkcode formatBlobToken} wrote; `undefined` for anything else. */
export function parseBlobToken(text: string): BlobToken | undefined {
  if (text.length > 512) return undefined;
  const [mark, hex = "", count = "", channel, write] = text.split("~");
  const address = hex.length === 64 ? fromHex(hex) : undefined;
  const peers = /^\d{1,3}$/.test(count) ? Number(count) : NaN;
  if (mark !== MARK || address === undefined || !(peers < COPIES_MAX)) return undefined;
  if (channel === undefined) return { address, peers, event: undefined };
  const token = write === undefined ? undefined : parseWriteToken(write);
  if (token === undefined || !CHANNEL.test(channel)) return undefined;
  return { address, peers, event: { channel, token } };
}

/** Publishes blobs. */
export class BlobPublisher {
  readonly #deps: BlobPublisherDeps;

  constructor(deps: BlobPublisherDeps) {
    this.#deps = deps;
  }

  /**
   * Publishes the reference to a blob of this node.
   *
   * @throws NetError `not_found` when it is not here, `timeout` when too few nodes took a copy, what the log or
   * the channel throws; then no event was published.
   */
  async publish(address: Uint8Array, options: PublishBlobOptions): Promise<BlobPublished> {
    const { place, channel, peers = 0, signal } = options;
    const record = await this.#require(address);
    const receipt = peers === 0 ? undefined : await this.#replicate(record, options);
    await this.#deps.store.sync(record.address);
    signal?.throwIfAborted();
    const whole = { address: record.address, peers };
    if (place === "channel") {
      const { channels } = this.#deps;
      if (channels === undefined) throw withoutMesh("publish on a channel");
      const report = await channels.publish(channel, [record.blobRef]);
      return { record, receipt, report, token: { ...whole, event: undefined } };
    }
    const appended = await this.#deps.logs.append(channel, [record.blobRef], { isDurable: true });
    const token = { ...whole, event: { channel, token: appended.token } };
    return { record, receipt, report: undefined, token };
  }

  /**
   * Resolves when what a token stands for is so: the event is on the device and in every fold that this node has
   * of its log, the blob is here, and so many other nodes have every chunk.
   *
   * @throws NetError `not_found` when the blob or the log is not here any more, `timeout`.
   */
  async wait(
    token: BlobToken,
    options: { readonly waitMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<ReplicaReceipt | undefined> {
    const { waitMs = WAIT_MS, signal } = options;
    const record = await this.#require(token.address);
    if (token.event !== undefined) {
      const { channel, token: { seq } } = token.event;
      const file = await this.#deps.logs.openExisting(channel);
      if (file.nextSeq <= seq) {
        throw new NetError(
          "not_found",
          `Cannot wait for event ${seq} of "${channel}": it is not there`,
          {
            next: "wait at the node that published it",
          },
        );
      }
      if (file.persistedSeq <= seq) await file.sync();
      await this.#deps.state.whenFolded(channel, seq, waitMs, signal);
    }
    if (token.peers === 0) return undefined;
    return await this.#replicate(record, { peers: token.peers, waitMs, signal });
  }

  async #require(address: Uint8Array): Promise<BlobRecord> {
    const record = await this.#deps.store.stat(address);
    if (record !== undefined) return record;
    throw new NetError("not_found", "Cannot publish blob: this node does not have it", {
      next: "put it first with net blob put FILE",
    });
  }

  async #replicate(
    { address }: BlobRecord,
    options: Pick<PublishBlobOptions, "peers" | "waitMs" | "onProgress" | "signal">,
  ): Promise<ReplicaReceipt> {
    const { replicas } = this.#deps;
    if (replicas === undefined) throw withoutMesh("have copies taken");
    const { peers = 1, waitMs = WAIT_MS, onProgress, signal } = options;
    return await replicas.replicate(address, { peers, waitMs, onProgress, signal });
  }
}

function withoutMesh(what: string): NetError {
  return new NetError("not_ready", `Cannot ${what}: the node does not run`, {
    next: "start it with net node start",
  });
}
