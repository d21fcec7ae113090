/**
 * Who has a blob, anywhere in the mesh (`dataforts.md` 12, 15; promise D3): first those that announced it, near
 * ones and then those that must be reached first; then those that say so when they are asked; then the peers
 * that can't be asked; at last nodes beyond the neighbours that announced nothing of it.
 *
 * A node that is found may still not have it: announcements are late, and bytes are checked where they come in.
 */
import { type CapabilityIndex, findNodes } from "../../core/capability/mod.ts";
import {
  decodeHoldsAnswer,
  encodeHoldsQuestion,
  holderTagsOf,
  type Holding,
  HOLDS_SERVICE,
} from "../../blob/mod.ts";
import type { CounterSet } from "../../observe/mod.ts";
import type { CallOptions } from "../../rpc/mod.ts";
import { asCompleted } from "./_as_completed.ts";

/** What {@linkcode HolderFinder} needs. */
export interface HolderFinderDeps {
  /** This node. */
  readonly nodeId: bigint;
  readonly index: CapabilityIndex;
  /** Peers with a session. */
  readonly connectedPeers: () => readonly bigint[];
  readonly rttMs: (nodeId: bigint) => number | undefined;
  /** Makes sure that there is a session with a node. */
  readonly reach: (nodeId: bigint, signal?: AbortSignal) => Promise<void>;
  /** False for a node that is not worth trying. */
  readonly mayReach: (nodeId: bigint) => boolean;
  readonly rpc: HoldsCaller;
}

/** The part of calls by which nodes are asked what they have. */
export interface HoldsCaller {
  call(service: string, body: Uint8Array, options?: CallOptions): Promise<Uint8Array>;
  findServiceNodes(service: string): readonly bigint[];
}

/** Options of {@linkcode HolderFinder.holdersOf}. */
export interface HoldersOptions {
  /** Other hashes of the same blob: its root, its reference. */
  readonly names?: readonly Uint8Array[];
  /** Nodes that are not to be given. */
  readonly without?: ReadonlySet<bigint>;
  readonly signal?: AbortSignal;
}

/** What was done, by the names of metrics. */
interface FinderCounters {
  searches_total: number;
  found_announced_total: number;
  found_asked_total: number;
  asked_total: number;
  ask_failed_total: number;
  reach_failed_total: number;
  /** Searches that ended because they had asked as many nodes as one may. */
  search_limited_total: number;
}

/** Sessions opened, and nodes asked, at once for one search. */
const REACH_PARALLEL = 4;
const ASK_PARALLEL = 8;
/** Holders of one blob that are told; more are no help. */
const ANNOUNCED_MAX = 64;
/** Nodes without a session that one search asks: each costs a handshake over a relay. */
const STRANGERS_MAX = 64;
/** A node that is asked answers from memory; a relay or two are between. */
const ASK_MS = 3_000;

/** Finds holders of blobs. */
export class HolderFinder {
  readonly #deps: HolderFinderDeps;
  readonly #counters: FinderCounters = {
    searches_total: 0,
    found_announced_total: 0,
    found_asked_total: 0,
    asked_total: 0,
    ask_failed_total: 0,
    reach_failed_total: 0,
    search_limited_total: 0,
  };

  constructor(deps: HolderFinderDeps) {
    this.#deps = deps;
  }

  /** All that was counted. */
  get counters(): CounterSet {
    return { ...this.#counters };
  }

  /**
   * Nodes that announced one of the hashes, near ones first, this one left out; with or without a session. Costs
   * a look into the index.
   */
  announced(hashes: readonly Uint8Array[]): readonly bigint[] {
    const { index, nodeId } = this.#deps;
    const found = new Set<bigint>();
    for (const tag of hashes.flatMap(holderTagsOf)) {
      for (const id of findNodes(index, { requireTags: [tag] }).ids(ANNOUNCED_MAX)) found.add(id);
    }
    found.delete(nodeId);
    return this.#nearestFirst(found).slice(0, ANNOUNCED_MAX);
  }

  /**
   * Asks a node whether it has blobs completely, reaching it first where there is no session.
   *
   * @returns `undefined` when it can't be asked or did not answer.
   */
  async ask(
    nodeId: bigint,
    hashes: readonly Uint8Array[],
    signal?: AbortSignal,
  ): Promise<readonly Holding[] | undefined> {
    this.#counters.asked_total += 1;
    try {
      const question = encodeHoldsQuestion(hashes);
      const options = { target: nodeId, timeoutMs: ASK_MS, signal, isIdempotent: true };
      const answer = await this.#deps.rpc.call(HOLDS_SERVICE, question, options);
      const held = decodeHoldsAnswer(answer, hashes.length);
      if (held !== undefined) return held;
    } catch {
      // Whatever kept it from answering: it is not known to have anything.
    }
    this.#counters.ask_failed_total += 1;
    return undefined;
  }

  /**
   * Nodes that have a blob or may have it, the most promising first; there is a session with each when it is
   * given. Ends when nobody is left to ask; to be left early when enough are found.
   *
   * @param hash Address, root or chunk.
   * @throws The signal's reason.
   */
  async *holdersOf(
    hash: Uint8Array,
    options: HoldersOptions = {},
  ): AsyncGenerator<bigint, void, undefined> {
    const { signal, names = [] } = options;
    const hashes = [hash, ...names];
    const given = new Set<bigint>([this.#deps.nodeId, ...options.without ?? []]);
    const counters = this.#counters;
    counters.searches_total += 1;
    signal?.throwIfAborted();

    const away: bigint[] = [];
    const connected = new Set(this.#deps.connectedPeers());
    for (const nodeId of this.announced(hashes)) {
      if (given.has(nodeId)) continue;
      if (!connected.has(nodeId)) {
        away.push(nodeId);
        continue;
      }
      given.add(nodeId);
      counters.found_announced_total += 1;
      yield nodeId;
    }
    for await (const nodeId of this.#reached(away, signal)) {
      given.add(nodeId);
      counters.found_announced_total += 1;
      yield nodeId;
    }

    const answering = new Set(this.#deps.rpc.findServiceNodes(HOLDS_SERVICE));
    const peers = this.#deps.connectedPeers().filter((peer) => !given.has(peer));
    const askable = this.#nearestFirst(peers.filter((peer) => answering.has(peer)));
    yield* this.#affirmed(askable, hashes, given, signal);
    // Of these only a request for the bytes tells.
    for (const peer of this.#nearestFirst(peers.filter((peer) => !answering.has(peer)))) {
      given.add(peer);
      yield peer;
    }

    const asked = new Set([...given, ...peers, ...away]);
    const strangers = [...answering].filter((nodeId) =>
      !asked.has(nodeId) && this.#deps.mayReach(nodeId)
    );
    if (strangers.length > STRANGERS_MAX) counters.search_limited_total += 1;
    yield* this.#affirmed(strangers.slice(0, STRANGERS_MAX), hashes, given, signal);
  }

  /** Those to which a session could be made. */
  async *#reached(
    nodes: readonly bigint[],
    signal: AbortSignal | undefined,
  ): AsyncGenerator<bigint, void, undefined> {
    const worthTrying = nodes.filter((nodeId) => this.#deps.mayReach(nodeId));
    const reach = async (nodeId: bigint) => {
      try {
        await this.#deps.reach(nodeId, signal);
        return nodeId;
      } catch {
        this.#counters.reach_failed_total += 1;
        return undefined;
      }
    };
    for await (const nodeId of asCompleted(worthTrying, REACH_PARALLEL, reach)) {
      signal?.throwIfAborted();
      if (nodeId !== undefined) yield nodeId;
    }
  }

  /** Those that say that they have one of the hashes. */
  async *#affirmed(
    nodes: readonly bigint[],
    hashes: readonly Uint8Array[],
    given: Set<bigint>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<bigint, void, undefined> {
    const ask = async (nodeId: bigint) => {
      const held = await this.ask(nodeId, hashes, signal);
      return held?.some((holding) => holding !== "nothing") ? nodeId : undefined;
    };
    for await (const nodeId of asCompleted(nodes, ASK_PARALLEL, ask)) {
      signal?.throwIfAborted();
      if (nodeId === undefined || given.has(nodeId)) continue;
      given.add(nodeId);
      this.#counters.found_asked_total += 1;
      yield nodeId;
    }
  }

  #nearestFirst(nodes: Iterable<bigint>): bigint[] {
    const { rttMs } = this.#deps;
    const distance = (nodeId: bigint) => rttMs(nodeId) ?? Infinity;
    return [...nodes].sort((a, b) => {
      const [left, right] = [distance(a), distance(b)];
      if (left !== right) return left - right;
      return a < b ? -1 : 1;
    });
  }
}
