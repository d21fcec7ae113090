/**
 * Which node offers which interface, and which of their methods a path belongs to (`capabilities.md` 18,
 * promise C14).
 *
 * A node's interfaces are registered together: all of them take the place of those before, or none does.
 * What many nodes offer alike is kept once.
 */
import { NetError } from "../../../base/mod.ts";
import { isSemverCompatible, parseSemver, type Semver } from "../predicate/mod.ts";
import { PathTree } from "./_path_tree.ts";
import { type ApiSchema, requireApiSchema } from "./api_schema.ts";
import {
  API_MATCHES_MAX,
  API_NAME_BYTES_MAX,
  API_NODES_MAX,
  API_VERB_MAX,
  APIS_PER_NODE_MAX,
  METHODS_MAX,
  METHODS_PER_API_MAX,
} from "./limits.ts";
import { parsePathTemplate, type PathTemplate, splitPath } from "./path_template.ts";

/** One method of an interface. */
export interface ApiMethod {
  /** What is done, in small letters, such as `get`. */
  readonly verb: string;
  /** Template such as `/users/{id}`. */
  readonly path: string;
  readonly input?: ApiSchema;
  readonly output?: ApiSchema;
  readonly isDeprecated?: boolean;
}

/** An interface of one node. */
export interface ApiDescription {
  readonly name: string;
  /** One to three numbers joined by dots. */
  readonly version: string;
  readonly methods: readonly ApiMethod[];
}

/** Which method to find. */
export interface ApiLookup {
  readonly path: string;
  readonly verb?: string;
  /** Name of the interface. */
  readonly api?: string;
  /** Version that must be met: not older, and the first number that is not 0 the same. */
  readonly version?: string;
  /** Methods at most; 256 when left out. */
  readonly limit?: number;
}

/** A method that fits, of one version of an interface. */
export interface ApiMatch {
  readonly api: string;
  readonly version: string;
  readonly method: ApiMethod;
  /** Texts in the places of the template's parameters. */
  readonly parameters: ReadonlyMap<string, string>;
  /** Nodes that offer it, ascending. */
  readonly nodes: readonly bigint[];
}

/** Figures of a registry. */
export interface ApiRegistryStats {
  readonly nodes: number;
  /** Methods of all nodes together. */
  readonly endpoints: number;
  /** Nodes that offer an interface, in whatever versions, by its name. */
  readonly apisByName: ReadonlyMap<string, number>;
}

/** Options of {@linkcode ApiRegistry}. */
export interface ApiRegistryOptions {
  /** Nodes at most; 16384 when left out. */
  readonly nodesMax?: number;
  /** Methods of all nodes; 262144 when left out. */
  readonly methodsMax?: number;
}

/** A method that one or more nodes offer in the same way. */
interface Entry {
  readonly key: string;
  readonly api: string;
  readonly version: string;
  readonly semver: Semver;
  readonly template: PathTemplate;
  readonly method: ApiMethod;
  readonly nodes: Set<bigint>;
}

type Draft = Omit<Entry, "nodes">;

/** Interfaces by node, and their methods by path. */
export class ApiRegistry {
  /** Registrations there was no room for. */
  readonly counters = { drop_full_total: 0 };
  readonly #nodesMax: number;
  readonly #methodsMax: number;
  readonly #byNode = new Map<bigint, readonly Entry[]>();
  readonly #entries = new Map<string, Entry>();
  readonly #tree = new PathTree<Entry>();
  /** Nodes per interface name. */
  readonly #providers = new Map<string, Set<bigint>>();
  #endpoints = 0;

  constructor(options: ApiRegistryOptions = {}) {
    this.#nodesMax = options.nodesMax ?? API_NODES_MAX;
    this.#methodsMax = options.methodsMax ?? METHODS_MAX;
  }

  /** Nodes with an interface. */
  get nodeCount(): number {
    return this.#byNode.size;
  }

  /** Methods of all nodes together. */
  get endpointCount(): number {
    return this.#endpoints;
  }

  /** Nodes that offer an interface of this name. */
  providerCount(api: string): number {
    return this.#providers.get(api)?.size ?? 0;
  }

  /** All figures. */
  stats(): ApiRegistryStats {
    return {
      nodes: this.nodeCount,
      endpoints: this.endpointCount,
      apisByName: new Map([...this.#providers].map(([api, nodes]) => [api, nodes.size])),
    };
  }

  /**
   * Puts a node's interfaces in the place of those before.
   *
   * @throws RangeError when one of them is not valid; nothing changes then.
   * @throws NetError `limit` when there is no room; nothing changes then.
   */
  register(nodeId: bigint, apis: readonly ApiDescription[]): void {
    const drafts = readApis(apis);
    const before = this.#byNode.get(nodeId);
    const endpoints = this.#endpoints - (before?.length ?? 0) + drafts.length;
    const isFull = before === undefined && this.#byNode.size >= this.#nodesMax;
    if (endpoints > this.#methodsMax || isFull) {
      this.counters.drop_full_total += 1;
      throw new NetError(
        "limit",
        `Cannot register interfaces: ${this.#byNode.size} nodes with ${this.#endpoints} methods ` +
          "leave no room",
        { next: "register fewer methods, or take nodes away that are gone" },
      );
    }
    this.unregister(nodeId);
    if (drafts.length === 0) return;
    this.#byNode.set(nodeId, drafts.map((draft) => this.#claim(draft, nodeId)));
    this.#endpoints += drafts.length;
  }

  /** Forgets a node's interfaces. False when it had none. */
  unregister(nodeId: bigint): boolean {
    const entries = this.#byNode.get(nodeId);
    if (entries === undefined) return false;
    this.#byNode.delete(nodeId);
    this.#endpoints -= entries.length;
    for (const entry of entries) this.#release(entry, nodeId);
    return true;
  }

  /** Methods that a path belongs to, those with the earliest text in their template first. */
  lookup(lookup: ApiLookup): readonly ApiMatch[] {
    const { verb, api, version } = lookup;
    const parts = splitPath(lookup.path);
    const wanted = version === undefined ? undefined : parseSemver(version);
    if (parts === undefined || (version !== undefined && wanted === undefined)) return [];
    const limit = Math.min(lookup.limit ?? API_MATCHES_MAX, API_MATCHES_MAX);
    const matches: ApiMatch[] = [];
    for (const entry of this.#tree.find(parts)) {
      if (matches.length >= limit) break;
      if (verb !== undefined && entry.method.verb !== verb) continue;
      if (api !== undefined && entry.api !== api) continue;
      if (wanted !== undefined && !isSemverCompatible(entry.semver, wanted)) continue;
      matches.push(toMatch(entry, parts));
    }
    return matches;
  }

  #claim(draft: Draft, nodeId: bigint): Entry {
    let entry = this.#entries.get(draft.key);
    if (entry === undefined) {
      entry = { ...draft, nodes: new Set() };
      this.#entries.set(draft.key, entry);
      this.#tree.add(entry.template, entry);
    }
    entry.nodes.add(nodeId);
    const providers = this.#providers.get(draft.api);
    if (providers === undefined) this.#providers.set(draft.api, new Set([nodeId]));
    else providers.add(nodeId);
    return entry;
  }

  #release(entry: Entry, nodeId: bigint): void {
    entry.nodes.delete(nodeId);
    if (entry.nodes.size === 0) {
      this.#entries.delete(entry.key);
      this.#tree.remove(entry.template, entry);
    }
    // All of the node's methods go together, so the first one may take it from its interface.
    const providers = this.#providers.get(entry.api);
    providers?.delete(nodeId);
    if (providers?.size === 0) this.#providers.delete(entry.api);
  }
}

function readApis(apis: readonly ApiDescription[]): readonly Draft[] {
  requireCount("interfaces", apis.length, APIS_PER_NODE_MAX);
  const drafts = new Map<string, Draft>();
  for (const api of apis) {
    const { length } = new TextEncoder().encode(api.name);
    if (api.name === "" || length > API_NAME_BYTES_MAX || !api.name.isWellFormed()) {
      throw new RangeError(
        `Cannot register interface: its name has ${length} bytes, must have 1..${API_NAME_BYTES_MAX}`,
      );
    }
    const semver = parseSemver(api.version);
    if (semver === undefined) {
      throw new RangeError(
        `Cannot register "${api.name}": version is ${
          JSON.stringify(api.version)
        }, must be one to ` +
          "three numbers joined by dots",
      );
    }
    requireCount("methods", api.methods.length, METHODS_PER_API_MAX);
    for (const method of api.methods) {
      const draft = readMethod(api, semver, method);
      const place = JSON.stringify([api.name, api.version, method.verb, draft.template.text]);
      if (drafts.has(place)) {
        throw new RangeError(
          `Cannot register "${api.name}": ${method.verb} ${method.path} is there twice`,
        );
      }
      drafts.set(place, draft);
    }
  }
  return [...drafts.values()];
}

function readMethod({ name, version }: ApiDescription, semver: Semver, method: ApiMethod): Draft {
  const { verb, input, output } = method;
  if (!/^[a-z]+$/.test(verb) || verb.length > API_VERB_MAX) {
    throw new RangeError(
      `Cannot register "${name}": verb is ${JSON.stringify(verb.slice(0, 40))}, must be at most ` +
        `${API_VERB_MAX} small letters`,
    );
  }
  const template = parsePathTemplate(method.path);
  for (const schema of [input, output]) if (schema !== undefined) requireApiSchema(schema);
  const kept: ApiMethod = { ...structuredClone(method), path: template.text };
  // Nodes share an entry only if they mean the same by it.
  return {
    key: JSON.stringify([name, version, kept]),
    api: name,
    version,
    semver,
    template,
    method: kept,
  };
}

function toMatch(
  { api, version, template, method, nodes }: Entry,
  parts: readonly string[],
): ApiMatch {
  const parameters = new Map<string, string>();
  template.segments.forEach((segment, i) => {
    if (segment.kind === "parameter") parameters.set(segment.name, parts[i] ?? "");
  });
  const sorted = [...nodes].sort((left, right) => left < right ? -1 : left > right ? 1 : 0);
  return { api, version, method, parameters, nodes: sorted };
}

function requireCount(what: string, count: number, countMax: number): void {
  if (count <= countMax) return;
  throw new RangeError(
    `Cannot register interfaces: there are ${count} ${what}, must be at most ${countMax}`,
  );
}
