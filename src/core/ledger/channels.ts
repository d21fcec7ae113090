/** Channels that a node was told to run (`identity-and-channels.md` 9), kept over restarts. */
import type { LedgerDb } from "./ledger.ts";
import type { ChannelTable } from "./schema.ts";

/** One channel or prefix, in plain values; what they mean is the channel plane's business. */
export interface ChannelRecord {
  readonly name: string;
  readonly isPrefix: boolean;
  readonly visibility: string;
  readonly publishTags: readonly string[];
  readonly subscribeTags: readonly string[];
  readonly requiresToken: boolean;
  /** Entity ids, 32 bytes each. */
  readonly tokenRoots: readonly Uint8Array[];
  readonly bindsOrigin: boolean;
  readonly queueGroups: string;
  readonly priority: number;
  readonly isReliable: boolean;
  readonly ratePerSecond: number | undefined;
}

const ENTITY_BYTES = 32;

/** All channels, in the order of their names. */
export async function readChannels(db: LedgerDb, countMax: number): Promise<ChannelRecord[]> {
  const rows = await db.selectFrom("channel").selectAll().orderBy("name").limit(countMax).execute();
  return rows.map(fromRow);
}

/** Adds a channel, or changes the one of the same name. */
export async function writeChannel(db: LedgerDb, record: ChannelRecord): Promise<void> {
  const facts = {
    is_prefix: Number(record.isPrefix),
    visibility: record.visibility,
    publish_tags: JSON.stringify(record.publishTags),
    subscribe_tags: JSON.stringify(record.subscribeTags),
    requires_token: Number(record.requiresToken),
    token_roots: joinRoots(record.tokenRoots),
    binds_origin: Number(record.bindsOrigin),
    queue_groups: record.queueGroups,
    priority: record.priority,
    is_reliable: Number(record.isReliable),
    rate_per_second: record.ratePerSecond ?? null,
  };
  await db.insertInto("channel").values({ name: record.name, ...facts })
    .onConflict((conflict) => conflict.column("name").doUpdateSet(facts)).execute();
}

/** Removes a channel; nothing happens for an unknown one. */
export async function removeChannel(db: LedgerDb, name: string): Promise<void> {
  await db.deleteFrom("channel").where("name", "=", name).execute();
}

function fromRow(row: ChannelTable): ChannelRecord {
  return {
    name: row.name,
    isPrefix: row.is_prefix === 1,
    visibility: row.visibility,
    publishTags: parseTexts(row.publish_tags),
    subscribeTags: parseTexts(row.subscribe_tags),
    requiresToken: row.requires_token === 1,
    tokenRoots: splitRoots(row.token_roots),
    bindsOrigin: row.binds_origin === 1,
    queueGroups: row.queue_groups,
    priority: row.priority,
    isReliable: row.is_reliable === 1,
    ratePerSecond: row.rate_per_second ?? undefined,
  };
}

function joinRoots(roots: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(ENTITY_BYTES * roots.length);
  for (const [i, root] of roots.entries()) joined.set(root, ENTITY_BYTES * i);
  return joined;
}

function splitRoots(joined: Uint8Array): Uint8Array[] {
  const count = Math.floor(joined.length / ENTITY_BYTES);
  return Array.from(
    { length: count },
    (_, i) => joined.slice(ENTITY_BYTES * i, ENTITY_BYTES * (i + 1)),
  );
}

/** Texts of a JSON list; what is none is left out. */
function parseTexts(json: string): string[] {
  const list: unknown = JSON.parse(json);
  return Array.isArray(list) ? list.filter((item) => typeof item === "string") : [];
}
