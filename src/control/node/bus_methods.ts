/** Methods about the event bus; all of them privileged. */
import * as v from "../../schema/mod.ts";
import { NetError } from "../../base/mod.ts";
import { type EventBus, parseWhere, readJson, RedisStreamDedup } from "../../log/mod.ts";
import type { BusEngine } from "../../config/mod.ts";
import type { Node } from "../../node.ts";
import type { FeedView } from "../../services/mod.ts";
import { defineMethod, type Method } from "../method.ts";
import { sendPages } from "./bus_pages.ts";
import { readPayload } from "./log_view.ts";

const EVENTS_MAX = 16_384;
const CURSOR_MAX = 4 * 1024 * 1024;
const WHERE_MAX = 65_536;
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
        return { ...published, engine: node.bus.engine, ...goesTo(node) };
      },
    }),
    defineMethod({
      name: "bus.poll",
      access: "privileged",
      summary: "Get events of the bus as progress, to their end or as they come",
      isReadOnly: true,
      isOpenEnded: ({ follow }) => follow === true,
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
        const reader = { bus: withoutRepeats(bus, node.bus.engine), signal, context };
        const sent = await sendPages({ ...reader, clock: node.bus.clock }, {
          filter,
          ordering: order,
          shards,
          cursor,
          limit: limit ?? Infinity,
          isFollowing: follow,
        });
        return { ...sent, ...goesTo(node) };
      },
    }),
    defineMethod({
      name: "bus.stats",
      access: "privileged",
      summary: "What the bus took, handed over and dropped, by shard",
      isReadOnly: true,
      answersWhileDraining: true,
      params: v.object({}),
      handle: async () => {
        const { engine, feed } = node.bus;
        return {
          engine,
          health: node.bus.health(),
          ...describeStats(await node.bus.open()),
          feed: describeFeed(feed),
        };
      },
    }),
  ];
}

/** Redis keeps what was written twice, the other engines don't. */
function withoutRepeats(bus: EventBus, engine: BusEngine): Pick<EventBus, "poll"> {
  if (engine !== "redis") return bus;
  const dedup = new RedisStreamDedup();
  return {
    poll: async (request, signal) => {
      const page = await bus.poll(request, signal);
      return { ...page, events: dedup.filter(page.events) };
    },
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

/** The node that gets what is published here, if one does. */
function goesTo({ bus }: BusNode): { readonly peer?: string } {
  const { peer } = bus.feed;
  return peer === undefined ? {} : { peer };
}

function describeFeed({ peer, isConnected, accept, counters, sources }: FeedView) {
  const { notAllowed, ...sums } = counters;
  return {
    peer: peer ?? null,
    ...(peer === undefined ? {} : { is_connected: isConnected }),
    accept,
    ...sums,
    not_allowed: notAllowed,
    sources: sources.map(({ isListening, ...source }) => ({ ...source, listening: isListening })),
  };
}

function requireJson(raw: Uint8Array, index: number): void {
  if (readJson(raw) !== undefined) return;
  throw new NetError("usage", "Cannot publish event: it is no JSON", {
    next: "publish JSON, or any bytes with --any; conditions find only JSON",
    data: { event_index: index },
  });
}
