/**
 * The mesh adapter: what a bus dispatches goes to a node over a reliable stream of the mesh, through relays and
 * sealed like everything else; what other nodes' buses dispatch to this one is kept in an adapter here, and polled.
 *
 * A batch counts as dispatched when the other node's adapter has it. What comes again after a lost answer is told
 * by producer, shard and number. Only nodes of ours understand it; for the Rust core there is the point-to-point
 * adapter (`../net`).
 */
import type { MeshLink } from "../../../../core/transport/mod.ts";
import { type Log, silentLog } from "../../../../observe/mod.ts";
import { BusError } from "../../error.ts";
import { refused, refuseUnknown } from "../../option_checks.ts";
import type { Batch, BusAdapter } from "../../types.ts";
import { type FeedCounters, FeedReceiver } from "./feed_receiver.ts";
import { FeedSender, feedStreams } from "./feed_sender.ts";
import { SOURCES_MAX } from "./limits.ts";

/** What it needs. */
export interface MeshAdapterDeps {
  readonly link: MeshLink;
  /** Keeps what comes, and what this bus dispatches if that goes nowhere else; started and stopped with this one. */
  readonly inner: BusAdapter;
  readonly log?: Log;
}

/** Its options. */
export interface MeshAdapterOptions {
  /** Name of the bus; the same at both nodes. */
  readonly name?: string;
  /** Node that gets what this bus dispatches; kept here when left out. */
  readonly to?: bigint;
  /** Nodes whose events are taken; none when left out. */
  readonly from?: readonly bigint[];
}

/** The adapter, with its counters. */
export interface MeshAdapter extends BusAdapter {
  readonly counters: Readonly<FeedCounters>;
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
  const { to, from = [] } = options;
  const { nodeId } = deps.link;
  if (from.length > SOURCES_MAX) {
    throw refused("from", `${from.length} nodes`, `at most ${SOURCES_MAX}`);
  }
  if (to === nodeId || from.includes(nodeId)) throw refused("node", "this one", "another node");
  return new BetweenNodes(deps, options);
}

class BetweenNodes implements MeshAdapter {
  readonly name = "mesh";
  readonly counters: FeedCounters = { events: 0, repeats: 0, gaps: 0, malformed: 0, refused: 0 };
  readonly #deps: MeshAdapterDeps;
  readonly #options: MeshAdapterOptions;
  readonly #nextOf = new Map<string, bigint>();
  #sender: FeedSender | undefined;
  #receivers = new Map<bigint, FeedReceiver>();
  #endWatching = () => {};
  #isRunning = false;

  constructor(deps: MeshAdapterDeps, options: MeshAdapterOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  async start(): Promise<void> {
    if (this.#isRunning) return;
    const { link, inner, log = silentLog } = this.#deps;
    const { name = "default", to, from = [] } = this.#options;
    await inner.start();
    this.#isRunning = true;
    const streams = feedStreams(name);
    if (to !== undefined) this.#sender = new FeedSender(link, to, streams);
    const { counters } = this;
    const deps = { link, streams, inner, log, counters, nextOf: this.#nextOf };
    this.#receivers = new Map(from.map((peer) => [peer, new FeedReceiver(deps, peer)]));
    for (const receiver of this.#receivers.values()) receiver.listen();
    this.#endWatching = link.onPeerChange((peer, isConnected) => {
      if (isConnected) this.#receivers.get(peer)?.listen();
    });
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
    this.#endWatching();
    this.#sender?.stop();
    this.#sender = undefined;
    await Promise.all([...this.#receivers.values()].map((receiver) => receiver.stop()));
    this.#receivers.clear();
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

  #requireRunning(): void {
    if (!this.#isRunning) throw new BusError("fatal", "Cannot use adapter: it was stopped");
  }
}
