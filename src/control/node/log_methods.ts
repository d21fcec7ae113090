/** Methods about logs; all of them privileged. */
import * as v from "../../schema/mod.ts";
import { isMissing, NetError, toNetError } from "../../base/mod.ts";
import { CHANNEL_NAME_BYTES_MAX } from "../../core/crypto/mod.ts";
import { compileFilter, formatWriteToken, parseWhere, type TailItem } from "../../log/mod.ts";
import type { Node } from "../../node.ts";
import {
  APPEND_EVENTS_MAX,
  EVENT_BYTES_MAX,
  type LogReader,
  type LogRules,
  type LogService,
  type LogStart,
} from "../../services/mod.ts";
import { type CallContext, defineMethod, type Method } from "../method.ts";
import { logCareMethods } from "./log_care_methods.ts";
import { describeItems, describeLog, readPayload } from "./log_view.ts";

/** Name of a channel. */
export const LOG_NAME = v.pipe(v.string(), v.minLength(1), v.maxLength(CHANNEL_NAME_BYTES_MAX));
const SEQ = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const WHOLE = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const PATH = v.pipe(v.string(), v.startsWith("/"), v.maxLength(4_096));
const FROM = v.union([
  v.picklist(["start", "end"]),
  SEQ,
  v.object({ last: SEQ }),
  v.object({ since_ms: v.pipe(v.number(), v.finite()) }),
]);
const FSYNC = v.variant("kind", [
  v.object({ kind: v.literal("never") }),
  v.object({ kind: v.literal("every-n"), records: WHOLE }),
  v.object({ kind: v.literal("interval"), ms: WHOLE }),
  v.object({ kind: v.literal("interval-or-bytes"), ms: SEQ, bytes: SEQ }),
]);

/** Characters of a condition. */
const WHERE_MAX = 65_536;
/** Rows of one listing. */
const ROWS_MAX = 500;
/** Events and bytes of one message to a reader. */
const BATCH_EVENTS = 512;
const BATCH_BYTES = 256 * 1024;

/** The part of a node that logs are told of by. */
export type LogNode = Pick<Node, "logs">;

/** The methods about logs. */
export function logMethods(node: LogNode): readonly Method[] {
  return [
    defineMethod({
      name: "log.append",
      access: "privileged",
      summary: "Append events to a channel's log, all of them or none",
      isReadOnly: false,
      params: v.object({
        channel: LOG_NAME,
        events: v.optional(v.pipe(v.array(v.string()), v.maxLength(APPEND_EVENTS_MAX)), []),
        encoding: v.optional(v.picklist(["utf8", "base64"]), "utf8"),
        file: v.optional(PATH),
        durable: v.optional(v.boolean()),
        inline: v.optional(v.boolean()),
        expected: v.optional(SEQ),
      }),
      handle: async ({ channel, events, encoding, file, durable, inline, expected }) => {
        const payloads = events.map((text) => readPayload(text, encoding));
        if (file !== undefined) payloads.push(await readEventFile(file));
        const done = await node.logs.append(channel, payloads, {
          isDurable: durable,
          isInline: inline,
          expected: expected === undefined ? undefined : BigInt(expected),
        });
        return {
          channel,
          count: done.count,
          first: Number(done.first),
          last: Number(done.last),
          next_seq: Number(done.nextSeq),
          persisted_seq: Number(done.persistedSeq),
          token: formatWriteToken(done.token),
        };
      },
    }),
    defineMethod({
      name: "log.read",
      access: "privileged",
      summary: "Get the events of a log as progress, to its end or as it grows",
      isReadOnly: true,
      isOpenEnded: ({ follow }) => follow === true,
      params: v.object({
        channel: LOG_NAME,
        from: v.optional(FROM, "start"),
        to: v.optional(SEQ),
        follow: v.optional(v.boolean(), false),
        limit: v.optional(WHOLE),
        where: v.optional(v.pipe(v.string(), v.maxLength(WHERE_MAX))),
      }),
      handle: async ({ channel, from, to, follow, limit, where }, context) => {
        const isWanted = where === undefined ? undefined : compileFilter(parseWhere(where));
        using reader = await node.logs.reader(channel, {
          from: toStart(from),
          to: to === undefined ? undefined : BigInt(to),
          isFollowing: follow,
          signal: context.signal,
        });
        return await sendEvents(channel, reader, limit ?? Infinity, isWanted, context);
      },
    }),
    defineMethod({
      name: "log.ls",
      access: "privileged",
      summary: "Logs of this node, by name",
      isReadOnly: true,
      params: v.object({ after: v.optional(v.string()), prefix: v.optional(v.string(), "") }),
      handle: ({ after, prefix }) => listLogs(node.logs, prefix, after),
    }),
    defineMethod({
      name: "log.stat",
      access: "privileged",
      summary: "What is known of a log",
      isReadOnly: true,
      params: v.object({ channel: LOG_NAME }),
      handle: async ({ channel }) => {
        const file = await node.logs.openExisting(channel);
        return describeLog(file.stat(), await node.logs.rulesOf(channel));
      },
    }),
    defineMethod({
      name: "log.create",
      access: "privileged",
      summary: "Make a log, or change how it is kept",
      isReadOnly: false,
      params: v.object({
        channel: LOG_NAME,
        // Null is for what the node's settings say.
        fsync: v.optional(v.nullable(FSYNC)),
        retention: v.optional(v.nullable(v.object({
          events_max: v.optional(WHOLE),
          bytes_max: v.optional(WHOLE),
          age_max_ms: v.optional(WHOLE),
        }))),
        volatile: v.optional(v.boolean()),
      }),
      handle: async ({ channel, fsync, retention, volatile }) => {
        const rules: LogRules = {
          ...(fsync === undefined ? {} : { fsync: fsync ?? undefined }),
          ...(volatile === undefined ? {} : { isVolatile: volatile }),
          ...(retention === undefined ? {} : {
            retention: retention === null ? undefined : {
              eventsMax: retention.events_max,
              bytesMax: retention.bytes_max,
              ageMaxMs: retention.age_max_ms,
            },
          }),
        };
        const file = await node.logs.configure(channel, rules);
        return describeLog(file.stat(), await node.logs.rulesOf(channel));
      },
    }),
    ...logCareMethods(node),
  ];
}

/** Sends events as they come; a caller that reads slowly is waited for. */
async function sendEvents(
  channel: string,
  reader: LogReader,
  eventsMax: number,
  isWanted: ((payload: Uint8Array) => boolean) | undefined,
  context: CallContext,
): Promise<object> {
  await context.send({ reading: true, position: Number(reader.position) });
  let events = 0;
  let gone = 0;
  let position = reader.position;
  while (events < eventsMax) {
    // With a condition nobody knows how many have to be looked at for one that is wanted.
    const wantedMax = isWanted === undefined ? eventsMax - events : BATCH_EVENTS;
    const items = await reader.next(Math.min(BATCH_EVENTS, wantedMax));
    if (items === undefined) break;
    const wanted: TailItem[] = [];
    for (const item of items) {
      if (events >= eventsMax) break;
      position = (item.kind === "lag" ? item.to : item.seq) + 1n;
      if (item.kind === "lag") gone += Number(item.to - item.from) + 1;
      else if (isWanted === undefined || isWanted(item.payload)) events += 1;
      else continue;
      wanted.push(item);
    }
    for (const batch of inBatches(wanted)) {
      await context.send({ items: batch, persisted_seq: Number(reader.persistedSeq) });
    }
  }
  return { channel, events, gone, next_seq: Number(position) };
}

/** Items in messages of some size. */
function* inBatches(items: readonly TailItem[]): Generator<object[], void, undefined> {
  let batch: object[] = [];
  let bytes = 0;
  for (const described of describeItems(items)) {
    batch.push(described);
    bytes += bytesOf(described);
    if (bytes < BATCH_BYTES) continue;
    yield batch;
    [batch, bytes] = [[], 0];
  }
  if (batch.length > 0) yield batch;
}

function bytesOf(described: object): number {
  const { text, base64 }: { text?: string; base64?: string } = described;
  return 64 + (text ?? base64 ?? "").length;
}

async function listLogs(logs: LogService, prefix: string, after = "") {
  const names = (await logs.names()).filter((name) => name > after && name.startsWith(prefix));
  const rows: object[] = [];
  for (const name of names.slice(0, ROWS_MAX)) {
    try {
      const file = await logs.openExisting(name);
      rows.push(describeLog(file.stat(), await logs.rulesOf(name)));
    } catch (error) {
      // One that may not be opened, or can't be, is listed as such.
      const { code, message } = toNetError(error, "Cannot open log");
      if (code !== "not_found") rows.push({ channel: name, failure: message });
    }
  }
  const next = names.length > ROWS_MAX ? names[ROWS_MAX - 1] ?? null : null;
  return { logs: rows, next };
}

function toStart(from: v.InferOutput<typeof FROM>): LogStart {
  if (from === "start" || from === "end") return { kind: from };
  if (typeof from === "number") return { kind: "seq", seq: BigInt(from) };
  if ("last" in from) return { kind: "last", events: from.last };
  return { kind: "since", timeNs: BigInt(Math.floor(from.since_ms)) * 1_000_000n };
}

async function readEventFile(path: string): Promise<Uint8Array> {
  let size: number;
  try {
    size = (await Deno.stat(path)).size;
  } catch (error) {
    throw new NetError(
      isMissing(error) ? "not_found" : "not_allowed",
      `Cannot read event: "${path}" ${isMissing(error) ? "is not there" : "can't be read"}`,
      { cause: error, next: "check the path" },
    );
  }
  if (size > EVENT_BYTES_MAX) {
    throw new NetError(
      "limit",
      `Cannot append event: it has ${size} bytes, must be at most ${EVENT_BYTES_MAX}`,
      { next: "store it with net blob put and append its address" },
    );
  }
  return await Deno.readFile(path);
}
