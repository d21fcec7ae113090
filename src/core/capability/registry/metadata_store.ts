/**
 * Descriptions of nodes, found by what they say (`capabilities.md` 18, promise C15).
 *
 * Every property that a query may name has an index, so figures are sizes of sets and no query looks at
 * all nodes unless it names nothing. A description is replaced as a whole or not at all.
 */
import { NetError } from "../../../base/mod.ts";
import { METADATA_BYTES_MAX, METADATA_NODES_MAX, METADATA_RESULTS_MAX } from "./limits.ts";
import {
  type Continent,
  CONTINENTS,
  createNodeMetadata,
  type NatType,
  NETWORK_TIERS,
  type NetworkTier,
  NODE_STATUSES,
  type NodeMetadata,
  type NodeMetadataOptions,
  type NodeStatus,
  weighNodeMetadata,
} from "./node_metadata.ts";

/** Which nodes to find: those that are everything it names. */
export interface NodeMetadataQuery {
  readonly status?: NodeStatus;
  readonly tier?: NetworkTier;
  readonly natType?: NatType;
  readonly continent?: Continent;
  readonly country?: string;
  readonly region?: string;
  /** All of these tags. */
  readonly tags?: readonly string[];
  /** Answers at most; 10000 when left out. */
  readonly limit?: number;
}

/** Figures of a store. */
export interface NodeMetadataStats {
  readonly nodes: number;
  readonly byStatus: Readonly<Record<NodeStatus, number>>;
  readonly byTier: Readonly<Record<NetworkTier, number>>;
  /** Nodes that tell their continent. */
  readonly byContinent: Readonly<Record<Continent, number>>;
}

/** Options of {@linkcode MetadataStore}. */
export interface MetadataStoreOptions {
  /** Nodes at most; 16384 when left out. */
  readonly nodesMax?: number;
  /** Bytes of all descriptions; 64 MiB when left out. */
  readonly bytesMax?: number;
}

interface Kept {
  readonly metadata: NodeMetadata;
  readonly weight: number;
  readonly revision: number;
}

/** Descriptions by node. */
export class MetadataStore {
  /** Descriptions there was no room for. */
  readonly counters = { drop_full_total: 0 };
  readonly #nodesMax: number;
  readonly #bytesMax: number;
  readonly #nodes = new Map<bigint, Kept>();
  /** Nodes by property, such as `status online`. */
  readonly #index = new Map<string, Set<bigint>>();
  #bytes = 0;
  #revision = 0;

  constructor(options: MetadataStoreOptions = {}) {
    this.#nodesMax = options.nodesMax ?? METADATA_NODES_MAX;
    this.#bytesMax = options.bytesMax ?? METADATA_BYTES_MAX;
  }

  /** Number of nodes. */
  get size(): number {
    return this.#nodes.size;
  }

  /** The description of a node. */
  get(nodeId: bigint): NodeMetadata | undefined {
    return this.#nodes.get(nodeId)?.metadata;
  }

  /** Number of the change that made a description what it is; `undefined` when there is none. */
  revisionOf(nodeId: bigint): number | undefined {
    return this.#nodes.get(nodeId)?.revision;
  }

  /**
   * Puts a description in the place of the one before.
   *
   * @param expectedRevision Only if the one before is of this change still; 0 for only if there is none.
   * @returns Number of this change.
   * @throws RangeError as `createNodeMetadata`.
   * @throws NetError `conflict` when it is not as expected, `limit` when there is no room. Nothing
   * changes then.
   */
  upsert(options: NodeMetadataOptions, expectedRevision?: number): number {
    const metadata = createNodeMetadata(options);
    const { nodeId } = metadata;
    const before = this.#nodes.get(nodeId);
    if (expectedRevision !== undefined && (before?.revision ?? 0) !== expectedRevision) {
      throw new NetError(
        "conflict",
        `Cannot describe node: revision is ${before?.revision ?? 0}, must be ${expectedRevision}`,
        { next: "read the description again and repeat the change" },
      );
    }
    const weight = weighNodeMetadata(metadata);
    const bytes = this.#bytes - (before?.weight ?? 0) + weight;
    if (bytes > this.#bytesMax || (before === undefined && this.size >= this.#nodesMax)) {
      this.counters.drop_full_total += 1;
      throw new NetError("limit", `Cannot describe node: ${this.size} nodes leave no room`, {
        next: "describe fewer nodes, or with fewer words",
      });
    }
    if (before !== undefined) this.#unindex(before.metadata);
    for (const property of propertiesOf(metadata)) this.#setOf(property).add(nodeId);
    this.#revision += 1;
    this.#bytes = bytes;
    this.#nodes.set(nodeId, { metadata, weight, revision: this.#revision });
    return this.#revision;
  }

  /** Forgets a node. False when it was not there. */
  remove(nodeId: bigint): boolean {
    const kept = this.#nodes.get(nodeId);
    if (kept === undefined) return false;
    this.#unindex(kept.metadata);
    this.#nodes.delete(nodeId);
    this.#bytes -= kept.weight;
    return true;
  }

  /** Nodes that are everything the query names, ascending by id. */
  find(query: NodeMetadataQuery = {}): readonly NodeMetadata[] {
    const limit = Math.min(query.limit ?? METADATA_RESULTS_MAX, METADATA_RESULTS_MAX);
    const sets: ReadonlySet<bigint>[] = [];
    for (const property of wantedBy(query)) {
      const set = this.#index.get(property);
      if (set === undefined) return [];
      sets.push(set);
    }
    sets.sort((left, right) => left.size - right.size);
    const [least = new Set(this.#nodes.keys()), ...others] = sets;
    const ids = [...least].filter((nodeId) => others.every((set) => set.has(nodeId)));
    ids.sort((left, right) => left < right ? -1 : left > right ? 1 : 0);
    return ids.slice(0, Math.max(0, limit)).flatMap((nodeId) => this.get(nodeId) ?? []);
  }

  /** Figures; their cost does not grow with the nodes. */
  stats(): NodeMetadataStats {
    const count = <Word extends string>(kind: string, words: readonly Word[]) =>
      Object.fromEntries(
        words.map((word) => [word, this.#index.get(property(kind, word))?.size ?? 0]),
      ) as Record<Word, number>;
    return {
      nodes: this.size,
      byStatus: count("status", NODE_STATUSES),
      byTier: count("tier", NETWORK_TIERS),
      byContinent: count("continent", CONTINENTS),
    };
  }

  #setOf(property: string): Set<bigint> {
    let set = this.#index.get(property);
    if (set === undefined) this.#index.set(property, set = new Set());
    return set;
  }

  #unindex(metadata: NodeMetadata): void {
    for (const property of propertiesOf(metadata)) {
      const set = this.#index.get(property);
      set?.delete(metadata.nodeId);
      if (set?.size === 0) this.#index.delete(property);
    }
  }
}

/** Kinds have no blank, so that no value is mistaken for another kind's. */
function property(kind: string, value: string): string {
  return `${kind} ${value}`;
}

function propertiesOf({ status, tier, natType, location, tags }: NodeMetadata): string[] {
  return wantedBy({ status, tier, natType, ...location, tags });
}

function wantedBy(query: NodeMetadataQuery): string[] {
  const named = [
    ["status", query.status],
    ["tier", query.tier],
    ["nat", query.natType],
    ["continent", query.continent],
    ["country", query.country],
    ["region", query.region],
    ...(query.tags ?? []).map((tag) => ["tag", tag] as const),
  ] as const;
  return named.flatMap(([kind, value]) => value === undefined ? [] : [property(kind, value)]);
}
