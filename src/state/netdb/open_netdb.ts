/** Opens a database: its models and collections under one handle (`storage.md` 13). */
import type { RedexConfig } from "../../log/mod.ts";
import type { CortexSnapshot } from "../cortex/types.ts";
import { decodeBundle } from "./bundle.ts";
import { NetDbError } from "./error.ts";
import { COLLECTIONS_MAX } from "./limits.ts";
import type { MemoryCollection } from "./memories.ts";
import { NetDb } from "./netdb.ts";
import type { BlobPins, CollectionDefinition } from "./own/definition.ts";
import type { OpenCollectionDeps, OwnCollection } from "./own/own_collection.ts";
import {
  memorySection,
  MODEL_NAMES,
  type ModelName,
  type OpenSection,
  ownSection,
  type Section,
  taskSection,
  workflowSection,
} from "./sections.ts";
import type { TaskCollection } from "./tasks.ts";
import type { WorkflowCollection } from "./workflow.ts";

/** What a database needs: logs, a clock, and what may hold blobs. */
export type NetDbDeps = OpenCollectionDeps;

/** Collections as they were declared, under the names that the handle has them by. */
export type CollectionDefinitions = Readonly<Record<string, CollectionDefinition>>;

/** Options of {@linkcode openNetDb}. */
export interface OpenNetDbOptions<
  Models extends ModelName = ModelName,
  Own extends CollectionDefinitions = CollectionDefinitions,
> {
  /** Who writes: stands in every event, and in tokens. */
  readonly origin: bigint;
  /** On disk; the log's own rule when left out. */
  readonly isPersistent?: boolean;
  /** Further rules of the logs. */
  readonly config?: RedexConfig;
  /** All three when left out. */
  readonly models?: readonly Models[];
  readonly collections?: Own;
  /** Ends the opening. */
  readonly signal?: AbortSignal;
}

/** The collections of a handle: those that were asked for, `undefined` for models that were not. */
export type OpenedCollections<Models extends ModelName, Own extends CollectionDefinitions> = {
  readonly tasks: "tasks" extends Models ? TaskCollection : undefined;
  readonly memories: "memories" extends Models ? MemoryCollection : undefined;
  readonly workflow: "workflow" extends Models ? WorkflowCollection : undefined;
  readonly collections: {
    readonly [Name in keyof Own]: OwnCollection<Own[Name]["schema"]>;
  };
};

/** An open database and its collections. */
export type OpenNetDb<Models extends ModelName, Own extends CollectionDefinitions> =
  & NetDb
  & OpenedCollections<Models, Own>;

/**
 * Opens a database over the logs of `deps.redex`, which stays open when the database is closed. Resolves when all
 * that the logs have is in the collections.
 *
 * @throws NetDbError `no_models`, `definition`, `fold`; RedexError of the log.
 *
 * @example
 * ```ts
 * import * as v from "valibot";
 * import { systemClock } from "../../base/mod.ts";
 * import { openRedex } from "../../log/mod.ts";
 * import { defineCollection } from "./own/mod.ts";
 * import { openNetDb } from "./open_netdb.ts";
 * await using redex = openRedex({ clock: systemClock });
 * const notes = defineCollection({ name: "notes", schema: v.object({ text: v.string() }) });
 * await using db = await openNetDb({ redex, clock: systemClock }, {
 *   origin: 1n,
 *   collections: { notes },
 * });
 * db.tasks.create(7n, "water the plants");
 * db.collections.notes.put(1n, { text: "they like it dry" });
 * console.assert(db.tasks.findMany({ status: "pending" }).length === 1);
 * console.assert(db.collections.notes.exists({ where: { text: { contains: "DRY" } } }));
 * ```
 */
export function openNetDb<
  const Models extends ModelName = ModelName,
  // deno-lint-ignore ban-types -- a database without collections of its own has an empty object of them.
  const Own extends CollectionDefinitions = {},
>(
  deps: NetDbDeps,
  options: OpenNetDbOptions<Models, Own>,
): Promise<OpenNetDb<Models, Own>> {
  return openWith(deps, options, {});
}

/**
 * Opens a database at the state of a bundle and goes on with what its logs have behind that. A log that is not as
 * long goes on with the numbers of the bundle; what was before is then in the bundle alone, so that a log that is to
 * stand on its own is filled with `restoreNetDb`. Models that the bundle has not open from their logs.
 *
 * @throws As {@linkcode openNetDb}, and NetDbError `decode`.
 */
export async function openNetDbFromSnapshot<
  const Models extends ModelName = ModelName,
  // deno-lint-ignore ban-types -- as above.
  const Own extends CollectionDefinitions = {},
>(
  deps: NetDbDeps,
  options: OpenNetDbOptions<Models, Own>,
  bytes: Uint8Array,
): Promise<OpenNetDb<Models, Own>> {
  const bundle = decodeBundle(bytes);
  return await openWith(deps, options, { snapshotOf: (section) => section.snapshotOf(bundle) });
}

/** The parts of a database by the name that its handle has them by. */
export function sectionsOf(
  { models = MODEL_NAMES, collections = {} }: OpenNetDbOptions,
  pins: BlobPins | undefined,
): {
  readonly models: Map<ModelName, Section<unknown>>;
  readonly own: Map<string, Section<unknown>>;
} {
  const own = new Map<string, Section<unknown>>();
  for (const [name, definition] of Object.entries(collections)) {
    own.set(name, ownSection(definition, pins));
  }
  const wanted = new Map<ModelName, Section<unknown>>();
  if (models.includes("tasks")) wanted.set("tasks", taskSection());
  if (models.includes("memories")) wanted.set("memories", memorySection());
  if (models.includes("workflow")) wanted.set("workflow", workflowSection());
  if (wanted.size + own.size === 0) {
    throw new NetDbError("no_models", "open: no model and no collection is enabled");
  }
  if (own.size > COLLECTIONS_MAX) {
    throw new NetDbError("limit", `open: ${own.size} collections, at most ${COLLECTIONS_MAX}`);
  }
  requireDistinct([...wanted.values(), ...own.values()]);
  return { models: wanted, own };
}

/** What is done with each part while it is opened. */
export interface OpenWithHooks {
  /** The state it begins with; that of its log when left out. */
  readonly snapshotOf?: (section: Section<unknown>) => CortexSnapshot | undefined;
  readonly onOpen?: (section: OpenSection<unknown>) => Promise<void>;
}

/** Opens all parts, or none. */
export async function openWith<Models extends ModelName, Own extends CollectionDefinitions>(
  deps: NetDbDeps,
  options: OpenNetDbOptions<Models, Own>,
  { snapshotOf, onOpen }: OpenWithHooks,
): Promise<OpenNetDb<Models, Own>> {
  const sections = sectionsOf(options, deps.pins);
  const opened: OpenSection<unknown>[] = [];
  const openAll = async (parts: ReadonlyMap<string, Section<unknown>>) => {
    const collections: Record<string, unknown> = {};
    for (const [name, section] of parts) {
      const open = await openSection(deps, options, section, snapshotOf?.(section));
      opened.push(open);
      await onOpen?.(open);
      collections[name] = open.collection;
    }
    return collections;
  };
  try {
    const models = await openAll(sections.models);
    const collections = await openAll(sections.own);
    const db = new NetDb(deps.redex, opened, options.origin);
    // What was opened is what the types say was asked for: sectionsOf makes one of the other.
    const parts = { tasks: undefined, memories: undefined, workflow: undefined, ...models };
    return Object.assign(db, parts, { collections }) as unknown as OpenNetDb<Models, Own>;
  } catch (error) {
    for (const { adapter } of opened) await adapter.close();
    throw error;
  }
}

/** Rules of a database's logs. */
export function logConfig({ isPersistent, config }: OpenNetDbOptions): RedexConfig | undefined {
  return isPersistent === undefined ? config : { ...config, isPersistent };
}

async function openSection(
  deps: NetDbDeps,
  options: OpenNetDbOptions,
  section: Section<unknown>,
  snapshot: CortexSnapshot | undefined,
): Promise<OpenSection<unknown>> {
  const { origin, signal } = options;
  const config = logConfig(options);
  const open = await section.open(deps, { origin, config, snapshot, signal });
  if (open.adapter.isRunning) return open;
  const { failure } = open.adapter;
  await open.adapter.close();
  throw new NetDbError("fold", `open ${section.name}: ${failure}`);
}

function requireDistinct(sections: readonly Section<unknown>[]): void {
  const channels = new Set<string>();
  for (const { name, channel } of sections) {
    if (channels.has(channel)) {
      throw new NetDbError("definition", `open ${name}: another part has channel "${channel}"`, {
        next: "give each collection a name of its own",
      });
    }
    channels.add(channel);
  }
}
