/** Publishes events of a batch in a window, and waits until all of it is acknowledged. */
import { BusError } from "../../error.ts";
import type { Batch } from "../../types.ts";
import { dedupIds, encodeEnvelope, type Redact } from "../engine/mod.ts";
import type { NatsClient } from "./_connect.ts";
import { type ApiError, apiError, natsError } from "./errors.ts";
import { HEADER_BYTES } from "./limits.ts";

const DECODER = new TextDecoder();
const NO_RESPONDERS = 503;

/** Where to, and what errors say. */
export interface PublishTarget {
  readonly subject: string;
  readonly action: string;
  readonly redact: Redact;
}

/**
 * Fails when an event of the batch is larger than the server takes, before any of it is sent.
 *
 * @throws BusError `fatal`; its data has the `index` of the event.
 */
export function checkSizes({ connection }: NatsClient, batch: Batch, action: string): void {
  const bytesMax = connection.info?.max_payload ?? Infinity;
  const idOf = dedupIds(batch);
  for (const [index, event] of batch.events.entries()) {
    // The envelope around it is at most as long as its longest numbers.
    const bytes = event.raw.length + 40 + HEADER_BYTES + idOf(index).length;
    if (bytes <= bytesMax) continue;
    const size = `it has ${event.raw.length} bytes, the server takes messages of ${bytesMax}`;
    throw new BusError("fatal", `${action}: event ${index} of the batch is too large: ${size}`, {
      data: { index },
      next: "raise max_payload of the NATS server",
    });
  }
}

/** Publishes events `from` to `to`; resolves when the stream has all of them, those it had already included. */
export function publishWindow(
  { connection, headers, replies }: NatsClient,
  batch: Batch,
  from: number,
  to: number,
  { subject, action, redact }: PublishTarget,
): { readonly acknowledged: Promise<void>; cancel(): void } {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let left = to - from;
  const end = (error?: BusError) => {
    round.close();
    if (error === undefined) resolve();
    else reject(error);
  };
  const round = replies.open({
    subject,
    onReply: ({ data, headers }) => {
      const error = headers?.code === NO_RESPONDERS
        ? new BusError("transient", `${action}: no stream takes ${subject}`)
        : replyError(data, action, redact);
      if (error !== undefined) end(error);
      else if (--left === 0) end();
    },
    onError: (error) => end(natsError(error, action, redact)),
  });
  const idOf = dedupIds(batch);
  try {
    for (let i = from; i < to; i++) {
      const event = batch.events[i];
      if (event === undefined) break;
      const head = headers();
      head.set("Nats-Msg-Id", idOf(i));
      const data = encodeEnvelope({ ...event, shard: batch.shard });
      connection.publish(subject, data, { headers: head, reply: round.replyTo(i) });
    }
  } catch (error) {
    end(natsError(error, action, redact));
  }
  return { acknowledged: promise, cancel: () => round.close() };
}

/** What is wrong by a reply; `undefined` when the stream has the event. */
function replyError(data: Uint8Array, action: string, redact: Redact): BusError | undefined {
  let reply: { stream?: unknown; error?: ApiError } | null;
  try {
    reply = JSON.parse(DECODER.decode(data));
  } catch {
    reply = null;
  }
  if (reply?.error !== undefined) return apiError(reply.error, action, redact);
  if (typeof reply?.stream === "string" && reply.stream !== "") return undefined;
  return new BusError("fatal", `${action}: its answer is none of JetStream`);
}
