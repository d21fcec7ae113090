/**
 * The mesh adapter: what a bus dispatches goes to a node over a reliable stream of the mesh, through relays and
 * sealed like everything else; what other nodes' buses dispatch to this one is kept in an adapter here, and polled.
 *
 * A batch counts as dispatched when the other node's adapter has it. What comes again after a lost answer is told
 * by producer, shard and number. Only nodes of ours understand it; for the Rust core there is the point-to-point
 * adapter (`../net`).
 */
import { type Log, silentLog } from "../../../../observe/mod.ts";
import { BusError } from "../../error.ts";
import { refused, refuseUnknown } from "../../option_checks.ts";
import type { Batch, BusAdapter } from "../../types.ts";
import { FeedMarks } from "./feed_marks.ts";
import type { FeedCounters, FeedSums } from "./feed_receiver.ts";
import { type FeedLink, FeedReceivers, type FeedSource, NOT_ACCEPTED } from "./feed_receivers.ts";
import { FeedSender, feedStreams } from "./feed_sender.ts";
import { SOURCES_MAX } from "./limits.ts";

/** What it needs. */
export interface MeshAdapterDeps {
  readonly link: FeedLink;
  /** Keeps what comes, and what this bus dispatches if that goes nowhere else; started and stopped with this one. */
  readonly inner: BusAdapter;
  readonly log?: Log;
  /** Makes a session with a node where there is none; without it, a batch waits for one that comes by itself. */
  readonly reach?: (peer: bigint, signal: AbortSignal) => Promise<void>;
  /** False for a peer that only says who it is: it is not taken for one of `from`. */
  readonly isProven?: (peer: bigint) => boolean;
}

/** Its options. */
export interface MeshAdapterOptions {
  /** Name of the bus; the same at both nodes. */
  readonly name?: string;
  /** Node that gets what this bus dispatches; kept here when left out. */
  readonly to?: bigint;
  /** Nodes whose events are taken, or those of any; none when left out. Others are told that theirs are not. */
  readonly from?: readonly bigint[] | "any";
}

/** The adapter, with its counters. */
export interface MeshAdapter extends BusAdapter {
  readonly counters: Readonly<FeedCounters>;
  /** Nodes that feed this one, or did so. */
  sources(): readonly FeedSource[];
}

/**
 * Creates an adapter between nodes.
 *
 * @throws BusError `config`.
 */
export function createMeshAdapter(
  deps: MeshAdapterDeps,
  options: MeshAdapterOptions,
): MeshAdapter {
  refuseUnknown("option of the mesh adapter", options, ["name", "to", "from"]);
  const { to, from: given = [] } = options;
  const { nodeId } = deps.link;
  const from = given === "any" ? [] : given;
  if (from.length > SOURCES_MAX) {
    throw refused("from", `${from.length} nodes`, `at most ${SOURCES_MAX}`);
  }
  if (to === nodeId || from.includes(nodeId)) throw refused("node", "this one", "another node");
  return new BetweenNodes(deps, options);
}

class BetweenNodes implements MeshAdapter {
  readonly name: string;
  readonly eventBytesMax?: number;
  readonly writeNow?: (batch: Batch) => boolean;
  readonly counters: FeedCounters;
  readonly #deps: MeshAdapterDeps;
  readonly #options: MeshAdapterOptions;
  readonly #sums: FeedSums;
  #sender: FeedSender | undefined;
  #receivers: FeedReceivers | undefined;
  #isRunning = false;

  constructor(deps: MeshAdapterDeps, options: MeshAdapterOptions) {
    this.#deps = deps;
    this.#options = options;
    this.counters = createFeedCounters();
    this.#sums = { counters: this.counters, marks: new FeedMarks(), heldBytes: 0 };
    const { inner } = deps;
    // What stays here is the inner adapter's business alone.
    const isKeptHere = options.to === undefined;
    this.name = isKeptHere ? inner.name : "mesh";
    if (!isKeptHere) return;
    this.eventBytesMax = inner.eventBytesMax;
    this.writeNow = inner.writeNow?.bind(inner);
  }

  sources(): readonly FeedSource[] {
    return this.#receivers?.sources() ?? [];
  }

  async start(): Promise<void> {
    if (this.#isRunning) return;
    const { link, inner, reach, log = silentLog } = this.#deps;
    const { name = "default", to } = this.#options;
    await inner.start();
    try {
      const marks = await inner.fedMarks?.(new AbortController().signal) ?? [];
      for (const mark of marks) this.#sums.marks.set(mark);
      const streams = feedStreams(name);
      const refusalOf = (peer: bigint) => this.#refusalOf(peer);
      const deps = { link, streams, inner, log, sums: this.#sums, refusalOf };
      this.#receivers = new FeedReceivers(deps);
      this.#receivers.start();
      if (to !== undefined) this.#sender = new FeedSender(link, to, streams, reach);
      this.#isRunning = true;
    } catch (error) {
      await inner.stop();
      throw error;
    }
  }

  async write(batch: Batch, signal: AbortSignal): Promise<void> {
    this.#requireRunning();
    await (this.#sender?.send(batch, signal) ?? this.#deps.inner.write(batch, signal));
  }

  async poll(shard: number, fromId: string | undefined, limit: number, signal: AbortSignal) {
    this.#requireRunning();
    return await this.#deps.inner.poll(shard, fromId, limit, signal);
  }

  async flush(signal: AbortSignal): Promise<void> {
    this.#requireRunning();
    await Promise.all([this.#deps.inner.flush(signal), this.#sender?.flush(signal)]);
  }

  async stop(): Promise<void> {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#sender?.stop();
    this.#sender = undefined;
    await this.#receivers?.stop();
    this.#receivers = undefined;
    await this.#deps.inner.stop();
  }

  async isHealthy(signal: AbortSignal): Promise<boolean> {
    if (!this.#isRunning || this.#sender?.isConnected === false) return false;
    return await this.#deps.inner.isHealthy(signal);
  }

  async shards(signal: AbortSignal): Promise<readonly number[]> {
    return await this.#deps.inner.shards?.(signal) ?? [];
  }

  async lastInsertionTs(shard: number, signal: AbortSignal): Promise<bigint | undefined> {
    return await this.#deps.inner.lastInsertionTs?.(shard, signal);
  }

  #refusalOf(peer: bigint): string | undefined {
    const { from = [] } = this.#options;
    if (from === "any") return undefined;
    if (!from.includes(peer)) return NOT_ACCEPTED;
    const { isProven = () => true } = this.#deps;
    return isProven(peer) ? undefined : "it has not proved who it is";
  }

  #requireRunning(): void {
    if (!this.#isRunning) throw new BusError("fatal", "Cannot use adapter: it was stopped");
  }
}

/** Counters at zero. */
export function createFeedCounters(): FeedCounters {
  return { events: 0, repeats: 0, gaps: 0, malformed: 0, refused: 0, notAllowed: 0 };
}
