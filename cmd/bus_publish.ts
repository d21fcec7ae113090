/** `net bus publish`: gives one event, or one for each line of its input, to the bus. */
import { buildCommand } from "@stricli/core";
import { NetError, pause } from "../src/base/mod.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import type { NodeCaller } from "./doors.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, switchFlag } from "./flags.ts";
import { formatCount, numberOf, recordOf, textOf } from "./format.ts";
import { LineReader } from "./line_reader.ts";
import type { Output } from "./output.ts";
import { openInput, PIECE_BYTES } from "./rpc_input.ts";
import { runVerb } from "./verb.ts";

/** Events of one call. */
const CALL_EVENTS_MAX = 8_192;
/** Bytes of one event: as base64 it has to fit in a line to the node, which has 1 MiB. */
const EVENT_BYTES_MAX = 768 * 1024 - 1024;
const ANSWER_MS = 60_000;
/** An engine that is away so long is away for good; and how often it is looked at. */
const ENGINE_WAIT_MS = 45_000;
const ENGINE_LOOK_MS = 250;

interface PublishFlags extends SharedFlags {
  readonly any?: boolean;
  readonly drop?: boolean;
}

interface Sums {
  events: number;
  refused: number;
  engine: string;
  /** Node that gets them, with the engine `mesh`. */
  peer?: string;
}

/** The verb. */
export const busPublishCommand = buildCommand<PublishFlags, [string?], NetContext>({
  docs: {
    brief: "Give events to the bus",
    fullDescription:
      "Gives EVENT to the node's bus; with -, or without EVENT, each line of standard input is " +
      "one, with @FILE each line of that file. Events are JSON, unless --any takes any bytes. They " +
      "are gathered into batches and handed to what keeps them: the node's log, Redis, JetStream " +
      "or another node, as --bus of net node start says. When this returns they are there. When the bus is full it " +
      "is waited for; with --drop events are refused as the node's --bus-full says.\n\n" +
      'EXAMPLES\n  net bus publish \'{"level":"error","n":4}\'\n' +
      "  tail -f app.jsonl | net bus publish\n  net bus publish @events.jsonl --json",
  },
  parameters: {
    flags: bareRecord({
      any: switchFlag("Take events that are no JSON"),
      drop: switchFlag("Do not wait for a bus that is full"),
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "tuple",
      parameters: [{
        parse: String,
        optional: true,
        placeholder: "EVENT",
        brief: "The event; @FILE, or - for standard input",
      }],
    },
  },
  async func(flags, event = "-") {
    const isStream = event === "-";
    await runVerb(this, flags, async ({ output, signal }) => {
      const input = await openInput(this, event);
      const sums: Sums = { events: 0, refused: 0, engine: "" };
      try {
        const node = await connectNode(this, flags, signal);
        try {
          const lines = new LineReader((into) => input.read(into));
          const params = { any: flags.any, patient: !flags.drop };
          for (;;) {
            const events = await lines.next({
              linesMax: CALL_EVENTS_MAX,
              bytesMax: PIECE_BYTES,
              signal,
            });
            if (events === undefined) break;
            await publish(node, events, params, sums, signal);
          }
          await untilKept(this, node, output, sums, signal);
          output.result("bus.publish", sums, () => publishedText(sums));
        } catch (error) {
          if (sums.events > 0) output.note(takenText(sums));
          throw error;
        } finally {
          await node.close();
        }
      } finally {
        input.close();
      }
    }, isStream ? {} : { timeoutMs: ANSWER_MS });
  },
});

async function publish(
  node: NodeCaller,
  events: readonly Uint8Array[],
  params: object,
  sums: Sums,
  signal: AbortSignal,
): Promise<void> {
  const send = async (part: readonly Uint8Array[]) => {
    const texts = part.map((event) => event.toBase64());
    const done = recordOf(
      await node.call("bus.publish", { ...params, events: texts, encoding: "base64" }, { signal }),
    );
    sums.events += numberOf(done.taken) ?? 0;
    sums.refused += numberOf(done.refused) ?? 0;
    sums.engine = textOf(done.engine);
    if (typeof done.peer === "string") sums.peer = done.peer;
  };
  const large = events.findIndex(({ length }) => length > EVENT_BYTES_MAX);
  if (large >= 0) {
    if (large > 0) await publish(node, events.slice(0, large), params, sums, signal);
    throw new NetError(
      "limit",
      `Cannot publish line ${sums.events + sums.refused + 1}: it has ${
        formatCount(events[large]?.length ?? 0)
      } bytes, at most ${formatCount(EVENT_BYTES_MAX)}`,
      { next: "publish it from a program, where an event may have 16 MiB" },
    );
  }
  try {
    await send(events);
  } catch (error) {
    const index = error instanceof NetError ? numberOf(error.data?.event_index) : undefined;
    if (index === undefined) throw error;
    // The node takes none of a call with an event that is no JSON: those before it go alone.
    await send(events.slice(0, index));
    const line = sums.events + sums.refused + 1;
    throw new NetError("usage", `Cannot publish line ${line}: it is no JSON`, {
      cause: error,
      next: "correct it, or take any bytes with --any",
    });
  }
}

/** Resolves when the engine has all of it; one that is away for a while is waited for. */
async function untilKept(
  { io }: NetContext,
  node: NodeCaller,
  output: Output,
  { engine, peer }: Sums,
  signal: AbortSignal,
): Promise<void> {
  const deadline = io.now() + ENGINE_WAIT_MS;
  for (let isFirst = true;; isFirst = false) {
    try {
      await node.call("bus.publish", { events: [], flush: true }, { signal });
      return;
    } catch (error) {
      const isAway = error instanceof NetError && error.code === "unreachable";
      if (!isAway || io.now() >= deadline) throw error;
      if (isFirst) {
        output.note(
          `waiting for ${peer === undefined ? engine : `node ${peer}`}: ${error.message}`,
        );
      }
      await pause(ENGINE_LOOK_MS, signal);
    }
  }
}

/** What became of events when the verb could not end as it should. */
function takenText({ events }: Sums): string {
  const what = events === 1 ? "1 event was" : `${formatCount(events)} events were`;
  return `${what} taken by the node; whether they are kept is not known`;
}

function publishedText({ events, refused, engine, peer }: Sums): string {
  const what = events === 1 ? "1 event" : `${formatCount(events)} events`;
  const keeper = peer === undefined ? engine : `node ${peer}`;
  const kept = engine === "noop" ? "kept nowhere" : `kept by ${keeper}`;
  const rest = refused === 0 ? "" : `, ${formatCount(refused)} refused`;
  return events === 0 && refused === 0 ? "nothing to publish" : `published ${what}, ${kept}${rest}`;
}
