/** `net channel publish`: sends one event, or one for each line of standard input. */
import { buildCommand } from "@stricli/core";
import { NetError, pause, utf8 } from "../src/base/mod.ts";
import { chainParam, CHANNEL_ANSWER_MS, CHANNEL_ARGUMENT, TOKEN_FLAG } from "./channel_common.ts";
import { readDurability } from "./blob_durability.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import type { NodeCaller } from "./doors.ts";
import { bareRecord, durationFlag, SHARED_FLAGS, type SharedFlags, textFlag } from "./flags.ts";
import { formatCount, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { putAndPublish } from "./log_append_blob.ts";
import { LineReader } from "./line_reader.ts";
import type { Output } from "./output.ts";
import { runVerb } from "./verb.ts";

interface PublishFlags extends SharedFlags {
  readonly blob?: string;
  readonly replicas?: string;
  readonly token?: string;
  readonly wait?: string;
}

/** Events and bytes of one call: its base64 fits the line of a request. */
const CALL_EVENTS_MAX = 1_024;
const CALL_BYTES_MAX = 512 * 1024;
/** How often a waiting publisher looks for subscribers. */
const SUBSCRIBER_LOOK_MS = 100;
/** Longest wait for a channel's rate at a time. */
const RATE_PAUSE_MS_MAX = 1_000;

interface Sums {
  events: number;
  attempted: number;
  delivered: number;
  failed: number;
  errors: readonly unknown[];
}

/** The verb. */
export const channelPublishCommand = buildCommand<PublishFlags, [string, string?], NetContext>({
  docs: {
    brief: "Send events to the subscribers of a channel",
    fullDescription:
      "Sends TEXT as one event to everybody who is subscribed to a channel of this " +
      "node; with - each line of standard input is an event, sent as soon as it is read. A " +
      "channel that nobody made is opened to all. Who is not subscribed yet misses the event. On " +
      "a reliable channel slow subscribers are waited for, and a channel's rate is kept by " +
      "waiting. --blob stores a file and sends the reference to it, once so many other nodes hold it " +
      "as --replicas says.\n\n" +
      "EXAMPLES\n  net channel publish room/lobby 'hello'\n" +
      "  tail -f app.log | net channel publish logs/app -\n" +
      "  net channel publish room/lobby 'hello' --wait 30s\n" +
      "  net channel publish films --blob film.mkv --replicas 2",
  },
  parameters: {
    flags: bareRecord({
      token: TOKEN_FLAG,
      wait: textFlag("DURATION", "Wait so long for the first subscriber"),
      blob: textFlag("FILE", "Store FILE as a blob, and send the reference to it"),
      replicas: textFlag("N", "With --blob: N other nodes hold it before the reference is sent"),
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "tuple",
      parameters: [CHANNEL_ARGUMENT, {
        parse: String,
        optional: true,
        placeholder: "TEXT",
        brief: "The event; - reads lines from standard input",
      }],
    },
  },
  async func(flags, channel, text) {
    const isStream = text === "-";
    await runVerb(
      this,
      flags,
      async ({ output, signal }) => {
        const { blob: file, replicas } = flags;
        if ((text === undefined) !== (file !== undefined) || (file ?? replicas) !== file) {
          throw new NetError("usage", "Cannot publish: give either TEXT or --blob FILE", {
            next: "--replicas goes with --blob; see net channel publish --help",
          });
        }
        const { peers, waitMs: copyWaitMs } = readDurability({ replicas });
        const token = await chainParam(this, flags.token);
        const waitMs = durationFlag("--wait", flags.wait);
        const node = await connectNode(this, flags, signal);
        const sums: Sums = { events: 0, attempted: 0, delivered: 0, failed: 0, errors: [] };
        try {
          if (waitMs !== undefined) await untilSubscribed(this, node, channel, waitMs, signal);
          if (file !== undefined || text === undefined) {
            const event = { file: file ?? "", channel, place: "channel", peers, token } as const;
            const options = { waitMs: copyWaitMs, signal, isQuiet: output.isQuiet };
            const sent = await putAndPublish(this, node, event, options);
            output.result("channel.publish.blob", sent, () => {
              return `published ${textOf(sent.address)}: ${textOf(sent.delivered)} delivered`;
            });
            return;
          }
          if (isStream) await publishLines(this, node, channel, token, sums, signal);
          else await publishAll(node, channel, [utf8(text)], token, sums, "best_effort", signal);
          report(output, channel, sums);
        } catch (error) {
          if (sums.events > 0) output.note(`${publishedText(sums)}, then it ended`);
          throw error;
        } finally {
          await node.close();
        }
      },
      isStream || flags.wait !== undefined || flags.blob !== undefined
        ? {}
        : { timeoutMs: CHANNEL_ANSWER_MS },
    );
  },
});

/**
 * Waits for the first subscriber of a channel.
 *
 * @throws NetError `timeout` when none comes in time.
 */
async function untilSubscribed(
  { io }: NetContext,
  node: NodeCaller,
  channel: string,
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  const deadline = io.now() + waitMs;
  while (!await isSubscribed(node, channel, signal)) {
    if (io.now() >= deadline) {
      throw new NetError("timeout", `Cannot publish on "${channel}": nobody subscribed in time`, {
        next: `subscribe on another node with net channel subscribe ${channel}`,
      });
    }
    await pause(SUBSCRIBER_LOOK_MS, signal);
  }
}

async function isSubscribed(
  node: NodeCaller,
  channel: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const { published } = recordOf(await node.call("channel.stats", { channel }, { signal }));
    return listOf(published).some((row) => listOf(recordOf(row).subscribers).length > 0);
  } catch (error) {
    // Nothing is known of the channel yet.
    if (error instanceof NetError && error.code === "not_found") return false;
    throw error;
  }
}

/** Publishes lines as they come; those that came together go together. */
async function publishLines(
  context: NetContext,
  node: NodeCaller,
  channel: string,
  token: object,
  sums: Sums,
  signal: AbortSignal,
): Promise<void> {
  const lines = new LineReader((into) => context.io.readStdin(into));
  for (;;) {
    const events = await lines.next({
      linesMax: CALL_EVENTS_MAX,
      bytesMax: CALL_BYTES_MAX,
      signal,
    });
    if (events === undefined) return;
    try {
      await publishAll(node, channel, events, token, sums, "collect", signal);
    } catch (error) {
      const fault = error instanceof NetError ? error.data ?? {} : {};
      const before = numberOf(fault.event_index);
      if (before === undefined) throw error;
      // The node takes none of a call with an event that is too long: those before it go alone.
      await publishAll(node, channel, events.slice(0, before), token, sums, "collect", signal);
      throw new NetError(
        "limit",
        `Cannot publish line ${sums.events + 1}: it has ${textOf(fault.bytes)} bytes, must be at ` +
          `most ${textOf(fault.bytes_max)}`,
        { cause: error, next: "store it with net blob put and publish its address" },
      );
    }
  }
}

/** Publishes events, waiting as the channel's rate demands. */
async function publishAll(
  node: NodeCaller,
  channel: string,
  events: readonly Uint8Array[],
  token: object,
  sums: Sums,
  onFailure: string,
  signal: AbortSignal,
): Promise<void> {
  let left = events;
  while (left.length > 0) {
    const params = {
      channel,
      events: left.map((event) => event.toBase64()),
      encoding: "base64",
      on_failure: onFailure,
      ...token,
    };
    try {
      const result = recordOf(await node.call("channel.publish", params, { signal }));
      const taken = numberOf(result.events) ?? left.length;
      sums.events += taken;
      sums.attempted += numberOf(result.attempted) ?? 0;
      sums.delivered += numberOf(result.delivered) ?? 0;
      sums.failed += numberOf(result.failed) ?? 0;
      if (listOf(result.errors).length > 0) sums.errors = listOf(result.errors);
      left = left.slice(Math.max(1, taken));
    } catch (error) {
      const pauseMs = error instanceof NetError ? numberOf(error.data?.retry_after_ms) : undefined;
      if (pauseMs === undefined) throw error;
      await pause(Math.min(pauseMs, RATE_PAUSE_MS_MAX), signal);
    }
  }
}

function report(output: Output, channel: string, sums: Sums): void {
  const { failed } = sums;
  output.result("channel.publish", { channel, ...sums }, () => publishedText(sums));
  if (failed === 0) return;
  const { node_id, message } = recordOf(sums.errors[0]);
  const what = failed === 1 ? "1 of them was not sent" : `${failed} of them were not sent`;
  output.warn(`${what}; the last to ${textOf(node_id)}: ${textOf(message)}`);
}

/** What became of the events: sent, which is not yet arrived. */
function publishedText({ events, attempted, delivered }: Sums): string {
  const what = events === 1 ? "1 event" : `${formatCount(events)} events`;
  if (attempted === 0) return `published ${what}, nobody is subscribed`;
  return `published ${what}, ${formatCount(delivered)} of ${formatCount(attempted)} sent`;
}
