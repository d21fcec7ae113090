/**
 * Whom a node's bus feeds, and who feeds it: the settings and counters around the mesh adapter. A node that takes
 * nothing from anybody says so to those who try.
 */
import { idToHex } from "../../base/mod.ts";
import {
  type BusAdapter,
  createFeedCounters,
  createMeshAdapter,
  type FeedCounters,
  type FeedLink,
  FeedMarks,
  FeedReceivers,
  feedStreams,
  type MeshAdapter,
  NOT_ACCEPTED,
} from "../../log/mod.ts";
import type { Log, MetricRegistry } from "../../observe/mod.ts";

/** The part of the transport that the bus uses. */
export type BusFeedLink = FeedLink & {
  peer(nodeId: bigint): { readonly isSealed: boolean } | undefined;
};

/** What {@linkcode BusFeeds} needs. */
export interface BusFeedsDeps {
  readonly log: Log;
  readonly metrics: MetricRegistry;
  readonly mesh: { readonly transport: BusFeedLink };
  readonly reach: (peer: bigint, signal: AbortSignal) => Promise<void>;
}

/** Who may feed whom. */
export interface BusFeedSettings {
  /** Node that gets the events; `undefined` for none. */
  readonly peer: bigint | undefined;
  /** Nodes whose events are kept here. */
  readonly accept: readonly bigint[] | "any";
}

/** Feeds, as people and programs are shown them. */
export interface FeedView {
  readonly peer: string | undefined;
  /** False while there is no session with it. */
  readonly isConnected: boolean;
  readonly accept: readonly string[] | "any";
  readonly counters: Readonly<FeedCounters>;
  readonly sources: readonly {
    readonly node: string;
    readonly isListening: boolean;
    readonly events: number;
    readonly repeats: number;
    readonly gaps: number;
    readonly refused: number;
  }[];
}

/** Name of a node's bus, in the streams of its feeds. */
const BUS_NAME = "default";

/** The feeds of a node's bus. */
export class BusFeeds {
  readonly #deps: BusFeedsDeps;
  readonly #settings: BusFeedSettings;
  #counters: FeedCounters = createFeedCounters();
  #adapter: MeshAdapter | undefined;
  #refusing: FeedReceivers | undefined;

  constructor(deps: BusFeedsDeps, settings: BusFeedSettings) {
    this.#deps = deps;
    this.#settings = settings;
  }

  /** True when the bus feeds somebody, or may be fed. */
  get isUsed(): boolean {
    return this.#settings.peer !== undefined || this.#settings.accept.length > 0;
  }

  start(): void {
    const { metrics, mesh, log } = this.#deps;
    this.#counters = createFeedCounters();
    metrics.register("bus_feed", () => describeCounters(this.#now));
    if (this.isUsed) return;
    this.#refusing = new FeedReceivers({
      link: mesh.transport,
      streams: feedStreams(BUS_NAME),
      sums: { counters: this.#counters, marks: new FeedMarks(), heldBytes: 0 },
      log,
      refusalOf: () => NOT_ACCEPTED,
    });
    this.#refusing.start();
  }

  stop(): void {
    // It keeps nothing, so there is nothing to wait for.
    void this.#refusing?.stop();
    this.#refusing = undefined;
  }

  /** The engine, behind what goes to other nodes and comes from them. */
  around(inner: BusAdapter): BusAdapter {
    if (!this.isUsed) return inner;
    const { mesh, log, reach } = this.#deps;
    const { peer: to, accept: from } = this.#settings;
    const link = mesh.transport;
    const isProven = (node: bigint) => link.peer(node)?.isSealed === true;
    const options = { name: BUS_NAME, ...(to === undefined ? {} : { to }), from };
    return this.#adapter = createMeshAdapter({ link, inner, log, reach, isProven }, options);
  }

  /** What the feeds are, and have done. */
  view(): FeedView {
    const { peer, accept } = this.#settings;
    return {
      peer: peer === undefined ? undefined : idToHex(peer),
      isConnected: peer !== undefined &&
        this.#deps.mesh.transport.connectedPeers().includes(peer),
      accept: accept === "any" ? accept : accept.map(idToHex),
      counters: this.#now,
      sources: (this.#adapter?.sources() ?? []).map(({ node, ...counters }) => ({
        node: idToHex(node),
        ...counters,
      })),
    };
  }

  get #now(): Readonly<FeedCounters> {
    return this.#adapter?.counters ?? this.#counters;
  }
}

function describeCounters(counters: Readonly<FeedCounters>): Record<string, number> {
  return {
    events_total: counters.events,
    repeats_total: counters.repeats,
    gaps_total: counters.gaps,
    batches_refused_total: counters.refused,
    drop_malformed_total: counters.malformed,
    drop_not_allowed_total: counters.notAllowed,
  };
}
