/** Fills logs from a bundle (`storage.md` 13, `docs/netdb.md`). */
import type { Redex } from "../../log/mod.ts";
import { decodeCortexSnapshot } from "../cortex/cortex_snapshot.ts";
import { FoldDecodeError } from "../cortex/fold_error.ts";
import { MEMORIES_CHANNEL } from "../models/memories/memory.ts";
import type { ModelEvent } from "../models/rows.ts";
import { TASKS_CHANNEL } from "../models/tasks/task.ts";
import { decodeBundle, type NetDbBundle } from "./bundle.ts";
import { NetDbError } from "./error.ts";
import { RESTORE_BATCH_EVENTS } from "./limits.ts";
import {
  type CollectionDefinitions,
  logConfig,
  type NetDbDeps,
  type OpenNetDb,
  type OpenNetDbOptions,
  openWith,
  sectionsOf,
} from "./open_netdb.ts";
import type { ModelName, OpenSection, Section } from "./sections.ts";

/** Options of {@linkcode restoreNetDb}. */
export interface RestoreNetDbOptions<
  Models extends ModelName = ModelName,
  Own extends CollectionDefinitions = CollectionDefinitions,
> extends OpenNetDbOptions<Models, Own> {
  /**
   * What is there goes: the logs of all models and collections of the options, also of those that the bundle does
   * not have. When false, a restore into logs with events is refused.
   */
  readonly isReplacing?: boolean;
}

/** What a restore did. */
export interface RestoreReport {
  readonly parts: readonly {
    readonly name: string;
    readonly channel: string;
    /** Events appended. */
    readonly events: number;
  }[];
  /** Channels of the bundle that the options do not name; they were left out. */
  readonly ignored: readonly string[];
}

/** A restored database, open, and what was done. */
export interface RestoredDb<Models extends ModelName, Own extends CollectionDefinitions> {
  readonly db: OpenNetDb<Models, Own>;
  readonly report: RestoreReport;
}

/**
 * Fills the logs of a database with the rows of a bundle, as events of its own: the result takes new writes at once,
 * opens again without the bundle, and is a folder like any other to the core.
 *
 * The bundle is read as a whole before anything is touched. When the machine stops in the middle, some of the logs
 * are filled; the restore is then repeated with `isReplacing`.
 *
 * @throws NetDbError `decode`, `populated`, `limit`, and as openNetDb.
 */
export async function restoreNetDb<
  const Models extends ModelName = ModelName,
  // deno-lint-ignore ban-types -- a database without collections of its own has an empty object of them.
  const Own extends CollectionDefinitions = {},
>(
  deps: NetDbDeps,
  options: RestoreNetDbOptions<Models, Own>,
  bytes: Uint8Array,
): Promise<RestoredDb<Models, Own>> {
  const { models, own } = sectionsOf(options, undefined);
  const sections = [...models.values(), ...own.values()];
  const bundle = decodeBundle(bytes);
  const events = new Map(sections.map((part) => [part.channel, eventsOf(part, bundle)]));
  const populated = await findPopulated(deps, options, sections);
  if (populated !== undefined) {
    if (options.isReplacing !== true) {
      throw new NetDbError("populated", `restore: ${populated} has events already`);
    }
    for (const { channel } of sections) await deps.redex.remove(channel);
  }
  const db = await openWith(deps, options, {
    onOpen: ({ adapter }) => fill(deps.redex, adapter, events.get(adapter.channel) ?? []),
  });
  const parts = sections.map(({ name, channel }) => ({
    name,
    channel,
    events: events.get(channel)?.length ?? 0,
  }));
  return { db, report: { parts, ignored: ignoredOf(bundle, new Set(events.keys())) } };
}

function eventsOf(section: Section<unknown>, bundle: NetDbBundle): ModelEvent[] {
  const snapshot = section.snapshotOf(bundle);
  if (snapshot === undefined) return [];
  try {
    return Array.from(section.eventsOf(decodeCortexSnapshot(snapshot.bytes).inner));
  } catch (error) {
    if (!(error instanceof FoldDecodeError)) throw error;
    throw new NetDbError("decode", `restore ${section.name}: ${error.message}`, { cause: error });
  }
}

/** The first channel that has events. */
async function findPopulated(
  { redex }: NetDbDeps,
  options: OpenNetDbOptions,
  sections: readonly Section<unknown>[],
): Promise<string | undefined> {
  const kept = new Set(await redex.names());
  for (const { channel } of sections) {
    if (!kept.has(channel)) continue;
    const file = await redex.open(channel, logConfig(options));
    if (file.nextSeq > 0n) return channel;
  }
  return undefined;
}

/** Appends what leads to the state of the bundle, and puts it on the device. */
async function fill(
  redex: Redex,
  adapter: OpenSection<unknown>["adapter"],
  events: readonly ModelEvent[],
): Promise<void> {
  for (let at = 0; at < events.length; at += RESTORE_BATCH_EVENTS) {
    adapter.appendBatch(events.slice(at, at + RESTORE_BATCH_EVENTS));
  }
  await redex.get(adapter.channel)?.sync();
}

function ignoredOf(bundle: NetDbBundle, known: ReadonlySet<string>): string[] {
  const channels = [...(bundle.others?.keys() ?? [])];
  if (bundle.tasks !== undefined) channels.push(TASKS_CHANNEL);
  if (bundle.memories !== undefined) channels.push(MEMORIES_CHANNEL);
  return channels.filter((channel) => !known.has(channel)).sort();
}
