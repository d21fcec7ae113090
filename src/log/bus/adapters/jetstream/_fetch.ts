/**
 * Reads a stretch of a stream with one request, not one for each event: by a batched direct get where the server
 * knows it (2.11), else by a reader that the server makes for this one page.
 */
import type { JetStreamManager } from "@nats-io/jetstream";
import type { Msg } from "@nats-io/transport-node";
import type { BusError } from "../../error.ts";
import type { EngineRecord, Redact } from "../engine/mod.ts";
import type { NatsClient } from "./_connect.ts";
import { apiError, natsError } from "./errors.ts";
import { READER_IDLE_MS } from "./limits.ts";

/** What to read. */
export interface FetchRequest {
  readonly stream: string;
  /** First sequence; removed events are passed over. */
  readonly sequence: number;
  readonly count: number;
  readonly action: string;
  readonly redact: Redact;
}

/** What was read. */
export interface FetchedRecords {
  readonly records: readonly EngineRecord[];
  /** True when the stream has more behind them. */
  readonly isMore: boolean;
}

type ConsumerConfig = Parameters<JetStreamManager["consumers"]["add"]>[1];

/** A message's sequence, and how many are behind it. */
type Position = readonly [sequence: string, pending: number];

const SEQUENCE = /^\d{1,20}$/;

/** The page is complete. */
const END_OF_BATCH = 204;
/** Nothing there. */
const NOT_FOUND = 404;
/** A reader has no more for now. */
const NO_MORE = 408;

/** True when the server answers a direct get with many messages. */
export function hasBatchedGet({ connection }: NatsClient): boolean {
  const [major = 0, minor = 0] = (connection.info?.version ?? "").split(".").map(Number);
  return major > 2 || (major === 2 && minor >= 11);
}

/** Reads by a direct get. */
export function fetchDirect(client: NatsClient, request: FetchRequest): Promise<FetchedRecords> {
  const { stream, sequence, count } = request;
  const subject = `$JS.API.DIRECT.GET.${stream}`;
  const body = { seq: sequence, batch: count };
  return collect(client, subject, body, request, ({ headers }) => {
    const at = headers?.get("Nats-Sequence");
    if (at === undefined || !SEQUENCE.test(at)) return undefined;
    return [at, Number(headers?.get("Nats-Num-Pending") || 0)];
  });
}

/** Reads by a reader of its own. */
export async function fetchByReader(
  client: NatsClient,
  request: FetchRequest,
): Promise<FetchedRecords> {
  const { stream, sequence, count, action, redact } = request;
  const config = {
    deliver_policy: "by_start_sequence",
    opt_start_seq: sequence,
    ack_policy: "none",
    mem_storage: true,
    num_replicas: 1,
    inactive_threshold: READER_IDLE_MS * 1e6,
  } as ConsumerConfig;
  let name: string;
  try {
    ({ name } = await client.manager.consumers.add(stream, config));
  } catch (error) {
    throw natsError(error, action, redact);
  }
  try {
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`;
    const body = { batch: count, no_wait: true };
    return await collect(client, subject, body, request, ({ reply }) => readerPosition(reply));
  } finally {
    // Nobody waits for this; where it gets lost the reader goes by itself.
    if (!client.connection.isClosed()) {
      client.connection.publish(`$JS.API.CONSUMER.DELETE.${stream}.${name}`);
    }
  }
}

/** Asks once and takes messages until the page is full or the server says that it has no more. */
function collect(
  { connection, replies }: NatsClient,
  subject: string,
  body: unknown,
  { count, action, redact }: FetchRequest,
  positionOf: (message: Msg) => Position | undefined,
): Promise<FetchedRecords> {
  const { promise, resolve, reject } = Promise.withResolvers<FetchedRecords>();
  const records: EngineRecord[] = [];
  let pending = 0;
  const end = (error?: BusError) => {
    round.close();
    if (error === undefined) resolve({ records, isMore: pending > 0 });
    else reject(error);
  };
  const round = replies.openOne({
    subject,
    onReply: (message) => {
      const position = positionOf(message);
      if (position === undefined) return end(statusError(message, action, redact));
      records.push({
        id: position[0],
        // A copy; its own slice() would be a view of the socket's buffer.
        data: new Uint8Array(message.data),
        dedupId: message.headers?.get("Nats-Msg-Id") || undefined,
      });
      pending = position[1];
      if (records.length >= count || pending === 0) end();
    },
    onError: (error) => end(natsError(error, action, redact)),
  });
  try {
    connection.publish(subject, JSON.stringify(body), { reply: round.replyTo });
  } catch (error) {
    end(natsError(error, action, redact));
  }
  return promise;
}

/** What a message without an event says; `undefined` for the end of a page. */
function statusError({ headers }: Msg, action: string, redact: Redact): BusError | undefined {
  const code = headers?.code ?? 0;
  if (code === END_OF_BATCH || code === NOT_FOUND || code === NO_MORE) return undefined;
  return apiError({ code, description: headers?.description || "no events" }, action, redact);
}

/**
 * `$JS.ACK.<stream>.<reader>.<delivered>.<sequence>.<number>.<time>.<pending>`, since 2.9 also with domain and account
 * before the stream and a token behind.
 */
function readerPosition(reply: string | undefined): Position | undefined {
  const parts = reply?.split(".") ?? [];
  if (parts[0] !== "$JS" || parts[1] !== "ACK") return undefined;
  const first = parts.length >= 11 ? 4 : 2;
  const sequence = parts[first + 3];
  return sequence === undefined || !SEQUENCE.test(sequence)
    ? undefined
    : [sequence, Number(parts[first + 6] ?? 0)];
}
