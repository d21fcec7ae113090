/** Methods about the event bus; all of them privileged. */
import * as v from "valibot";
import { type Clock, NetError } from "../../base/mod.ts";
import {
  type BusFilter,
  type EventBus,
  parseWhere,
  type PollResponse,
  readJson,
  RedisStreamDedup,
  type StoredEvent,
  subscribe,
} from "../../log/mod.ts";
import type { Node } from "../../node.ts";
import { type CallContext, defineMethod, type Method } from "../method.ts";
import { payloadFields, readPayload } from "./log_view.ts";

const EVENTS_MAX = 16_384;
const CURSOR_MAX = 4 * 1024 * 1024;
const WHERE_MAX = 65_536;
/** Events of one page, and of one message. */
const PAGE_EVENTS = 1_000;
const MESSAGE_EVENTS = 500;
const MESSAGE_BYTES = 256 * 1024;
/** A larger event does not fit a reply; whoever published it that large reads it from the engine. */
const SHOWN_BYTES_MAX = 8 * 1024 * 1024;
const WHOLE = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const SHARD = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535));

/** The part of a node that the bus is told of by. */
export type BusNode = Pick<Node, "bus">;

/** The methods about the bus. */
export function busMethods(node: BusNode): readonly Method[] {
  return [
    defineMethod({
      name: "bus.publish",
      access: "privileged",
      summary: "Give events to the bus",
      isReadOnly: false,
      params: v.object({
        events: v.pipe(v.array(v.string()), v.maxLength(EVENTS_MAX)),
        encoding: v.optional(v.picklist(["utf8", "base64"]), "utf8"),
        any: v.optional(v.boolean(), false),
        patient: v.optional(v.boolean()),
        flush: v.optional(v.boolean()),
      }),
      handle: async ({ events, encoding, any, patient, flush }) => {
        const raw = events.map((text) => readPayload(text, encoding));
        if (!any) raw.forEach(requireJson);
        const published = await node.bus.publish(raw, { isPatient: patient, isFlushed: flush });
        return { ...published, engine: node.bus.engine };
      },
    }),
    defineMethod({
      name: "bus.poll",
      access: "privileged",
      summary: "Get events of the bus as progress, to their end or as they come",
      isReadOnly: true,
      params: v.object({
        cursor: v.optional(v.pipe(v.string(), v.maxLength(CURSOR_MAX))),
        limit: v.optional(WHOLE),
        where: v.optional(v.pipe(v.string(), v.maxLength(WHERE_MAX))),
        order: v.optional(v.picklist(["none", "insertion_ts"]), "none"),
        shards: v.optional(v.pipe(v.array(SHARD), v.maxLength(1_024))),
        follow: v.optional(v.boolean(), false),
      }),
      handle: async ({ cursor, limit, where, order, shards, follow }, context) => {
        const filter = where === undefined ? undefined : parseWhere(where);
        const bus = await node.bus.open();
        const signal = AbortSignal.any([context.signal, node.bus.stopSignal]);
        // Redis keeps what was written twice, the other engines don't.
        const dedup = node.bus.engine === "redis" ? new RedisStreamDedup() : undefined;
        const options = { filter, ordering: order, shards, clock: node.bus.clock, dedup };
        const ask = { cursor, limit: limit ?? Infinity, isFollowing: follow };
        return await sendPages(bus, options, ask, signal, context);
      },
    }),
    defineMethod({
      name: "bus.stats",
      access: "privileged",
      summary: "What the bus took, handed over and dropped, by shard",
      isReadOnly: true,
      params: v.object({}),
      handle: async () => {
        const { engine } = node.bus;
        return { engine, health: node.bus.health(), ...describeStats(await node.bus.open()) };
      },
    }),
  ];
}

interface PollOptions {
  readonly filter: BusFilter | undefined;
  readonly ordering: "none" | "insertion_ts";
  readonly shards: readonly number[] | undefined;
  readonly clock: Clock;
  readonly dedup: RedisStreamDedup | undefined;
}

interface PollAsk {
  readonly cursor: string | undefined;
  readonly limit: number;
  readonly isFollowing: boolean;
}

/** Sends pages with the cursor behind each, so that a reader that ends anywhere can go on there. */
async function sendPages(
  bus: EventBus,
  options: PollOptions,
  ask: PollAsk,
  signal: AbortSignal,
  context: CallContext,
): Promise<object> {
  let events = 0;
  let next: string | undefined = ask.cursor;
  let hasMore = true;
  await context.send({ polling: true });
  while (events < ask.limit && (hasMore || ask.isFollowing)) {
    const limit = Math.min(PAGE_EVENTS, ask.limit - events);
    const page: PollResponse | undefined = ask.isFollowing && !hasMore
      ? await nextPage(bus, options, next, limit, signal)
      : await pollOnce(bus, options, next, limit, signal);
    signal.throwIfAborted();
    if (page === undefined) break;
    events += page.events.length;
    const isStuck: boolean = page.nextId === next && page.events.length === 0;
    next = page.nextId ?? next;
    hasMore = page.hasMore && !isStuck;
    await sendPage(page, next, context);
  }
  return { events, next: next ?? null, has_more: hasMore };
}

async function pollOnce(
  bus: EventBus,
  { dedup, filter, ordering, shards }: PollOptions,
  fromId: string | undefined,
  limit: number,
  signal: AbortSignal,
): Promise<PollResponse> {
  const page = await bus.poll({ filter, ordering, shards, fromId, limit }, signal);
  return dedup === undefined ? page : { ...page, events: dedup.filter(page.events) };
}

/** The next page that has something; `undefined` when the bus has ended. */
async function nextPage(
  bus: EventBus,
  options: PollOptions,
  fromId: string | undefined,
  limit: number,
  signal: AbortSignal,
): Promise<PollResponse | undefined> {
  let trouble: PollResponse | undefined;
  const onTrouble = (page: PollResponse) => trouble = page;
  const pages = subscribe(bus, { ...options, fromId, limit, signal, onTrouble }).pages();
  for await (const page of pages) return page;
  return trouble;
}

async function sendPage(
  page: PollResponse,
  cursor: string | undefined,
  context: CallContext,
): Promise<void> {
  const trouble = {
    missed: page.missed.map(({ shard, events }) => ({ shard, events: Number(events) })),
    failed: page.failedShards.map(({ shard, error }) => ({ shard, error })),
  };
  const hasTrouble = trouble.missed.length + trouble.failed.length > 0;
  if (hasTrouble) await context.send(trouble);
  let at = 0;
  while (at < page.events.length) {
    const items: object[] = [];
    let bytes = 0;
    for (; at < page.events.length && items.length < MESSAGE_EVENTS; at++) {
      const event = page.events[at];
      if (event === undefined || (items.length > 0 && bytes > MESSAGE_BYTES)) break;
      bytes += event.raw.length;
      items.push(describeStored(event));
    }
    const isLast = at >= page.events.length;
    await context.send({ items, ...(isLast && cursor !== undefined ? { cursor } : {}) });
  }
}

function describeStored({ id, raw, insertionTs, shard, dedupId }: StoredEvent): object {
  return {
    id,
    shard,
    insertion_ts: String(insertionTs),
    ...(dedupId === undefined ? {} : { dedup_id: dedupId }),
    ...(raw.length > SHOWN_BYTES_MAX ? { omitted_bytes: raw.length } : payloadFields(raw)),
  };
}

function describeStats(bus: EventBus) {
  const { shards, wasLossy, ...sums } = bus.stats();
  return {
    ...Object.fromEntries(Object.entries(sums).map(([name, value]) => [name, Number(value)])),
    was_lossy: wasLossy,
    shards: shards.map(({ shard, state, ingested, dropped, waiting, batchTarget }) => ({
      shard,
      state,
      ingested: Number(ingested),
      dropped: Number(dropped),
      waiting,
      batch_target: batchTarget,
    })),
  };
}

function requireJson(raw: Uint8Array, index: number): void {
  if (readJson(raw) !== undefined) return;
  throw new NetError("usage", "Cannot publish event: it is no JSON", {
    next: "publish JSON, or any bytes with --any; conditions find only JSON",
    data: { event_index: index },
  });
}
