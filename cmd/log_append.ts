/** `net log append`: appends one event, one for each line of its input, or all of it as one. */
import { buildCommand } from "@stricli/core";
import { fromHex, NetError } from "../src/base/mod.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import type { NodeCaller } from "./doors.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, switchFlag, textFlag } from "./flags.ts";
import { formatCount, numberOf, recordOf, textOf } from "./format.ts";
import { appendBlob } from "./log_append_blob.ts";
import { LOG_ANSWER_MS, LOG_ARGUMENT } from "./log_common.ts";
import { type ByteInput, openInput, PIECE_BYTES, rawItems } from "./rpc_input.ts";
import { LineReader } from "./line_reader.ts";
import { wholeFlag } from "./rpc_common.ts";
import { runVerb } from "./verb.ts";

/** Events of one append unless told otherwise; they are kept or lost together. */
const BATCH_EVENTS = 1_024;
const BATCH_EVENTS_MAX = 16_384;

/** Longest event; larger things are blobs. */
const EVENT_BYTES_MAX = 64 * 1024 * 1024;

interface AppendFlags extends SharedFlags {
  readonly blob?: string;
  readonly replicas?: string;
  readonly wait?: string;
  readonly whole?: boolean;
  readonly raw?: boolean;
  readonly hex?: boolean;
  readonly durable?: boolean;
  readonly inline?: boolean;
  readonly batch?: string;
  readonly expect?: string;
  readonly token?: boolean;
}

interface Sums {
  count: number;
  first: number | undefined;
  last: number | undefined;
  persisted_seq: number;
  token: string;
}

/** The verb. */
export const logAppendCommand = buildCommand<AppendFlags, [string, string?], NetContext>({
  docs: {
    brief: "Append events to the log of a channel",
    fullDescription:
      "Appends TEXT as one event to the log of a channel; with -, or without TEXT, each line of " +
      "standard input is an event, with @FILE each line of that file. --whole takes the input as " +
      "one event, --raw as events behind their length, 4 bytes with the highest first. Lines that " +
      "came together are appended together, all or none, at most --batch of them. A log that is " +
      "not there is made.\n\n" +
      "What is appended is in the file when this returns, and survives the end of the program; " +
      "--durable waits until it is on the device and survives the loss of power. --expect fails " +
      "with conflict when somebody else has appended meanwhile. Without a running node the events " +
      "are appended in the data folder.\n\n" +
      "--blob stores a file and appends the reference to it, once it is as durable as asked; the " +
      "token that --json and --token give is for net blob wait.\n\n" +
      'EXAMPLES\n  net log append app/orders \'{"kind":"order","total":12}\'\n' +
      "  tail -f app.log | net log append logs/app\n" +
      "  net log append pages @page.html --whole --durable\n" +
      "  net log append app/orders 'next' --expect 42\n" +
      "  net log append films --blob film.mkv --replicas 2",
  },
  parameters: {
    flags: bareRecord({
      whole: switchFlag("All of the input is one event"),
      raw: switchFlag("Events stand behind their length instead of being lines"),
      hex: switchFlag("Events are written in hex"),
      durable: switchFlag("Wait until the events are on the device"),
      inline: switchFlag("Keep events of exactly 8 bytes in the index"),
      batch: textFlag("N", `Append at most so many at a time; default: ${BATCH_EVENTS}`),
      expect: textFlag("SEQ", "Fail unless this is the next number of the log"),
      blob: textFlag("FILE", "Store FILE as a blob, and append the reference to it"),
      replicas: textFlag("N", "With --blob: N other nodes hold it before the event is appended"),
      wait: textFlag("DURATION", "With --replicas: how long they may take; default: a minute"),
      token: switchFlag("Print a token for --after instead of a line for people"),
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "tuple",
      parameters: [LOG_ARGUMENT, {
        parse: String,
        optional: true,
        placeholder: "TEXT",
        brief: "The event; @FILE, or - for standard input",
      }],
    },
  },
  async func(flags, channel, given) {
    if (flags.blob !== undefined) {
      await appendBlob(this, flags, channel, flags.blob, given);
      return;
    }
    const text = given ?? "-";
    const isStream = text === "-";
    await runVerb(this, flags, async ({ output, signal }) => {
      const batchMax = wholeFlag("--batch", flags.batch, { max: BATCH_EVENTS_MAX }) ?? BATCH_EVENTS;
      let expected = wholeFlag("--expect", flags.expect, { min: 0 });
      const isText = !isStream && !text.startsWith("@");
      const input = await openInput(this, text);
      const sums: Sums = {
        count: 0,
        first: undefined,
        last: undefined,
        persisted_seq: 0,
        token: "",
      };
      try {
        const node = await connectOrOpen(this, flags, signal);
        try {
          const batches = eventsOf(input, { ...flags, whole: flags.whole ?? isText }, {
            batchMax,
            signal,
          });
          for await (const events of batches) {
            const params = {
              channel,
              durable: flags.durable,
              inline: flags.inline,
              expected,
            };
            const done = await append(node, params, events, signal);
            add(sums, done);
            if (expected !== undefined) expected += events.length;
          }
          output.result("log.append", appendedFields(channel, sums), () => {
            return flags.token ? sums.token : appendedText(channel, sums);
          });
        } catch (error) {
          if (sums.count > 0) {
            // Whoever reads documents has to know what was taken, too.
            if (output.isJson) {
              const fields = { ...appendedFields(channel, sums), complete: false };
              output.result("log.append", fields, () => "");
            } else output.note(`${appendedText(channel, sums)}, then it ended`);
          }
          throw error;
        } finally {
          await node.close();
        }
      } finally {
        input.close();
      }
    }, isStream ? {} : { timeoutMs: LOG_ANSWER_MS });
  },
});

/** Events of an input, as many at a time as came together. */
async function* eventsOf(
  input: ByteInput,
  { whole, raw, hex }: AppendFlags,
  { batchMax, signal }: { readonly batchMax: number; readonly signal: AbortSignal },
): AsyncGenerator<readonly Uint8Array[]> {
  const toBytes = hex ? fromHexLine : (bytes: Uint8Array) => bytes;
  if (whole) yield [toBytes(await readAll(input))];
  else if (raw) {
    for await (const items of rawItems(input)) yield items.map(toBytes);
  } else {
    const lines = new LineReader((into) => input.read(into));
    for (;;) {
      const batch = await lines.next({ linesMax: batchMax, bytesMax: PIECE_BYTES, signal });
      if (batch === undefined) return;
      yield batch.map(toBytes);
    }
  }
}

async function append(
  node: NodeCaller,
  params: Readonly<Record<string, unknown>>,
  events: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<Readonly<Record<string, unknown>>> {
  const bytes = events.reduce((sum, { length }) => sum + length, 0);
  const [only] = events;
  if (bytes > PIECE_BYTES && events.length === 1 && only !== undefined) {
    return await appendLarge(node, params, only, signal);
  }
  return recordOf(
    await node.call("log.append", {
      ...params,
      events: events.map((event) => event.toBase64()),
      encoding: "base64",
    }, { signal }),
  );
}

/** An event that does not fit the line of a request goes through a private file. */
async function appendLarge(
  node: NodeCaller,
  params: Readonly<Record<string, unknown>>,
  event: Uint8Array,
  signal: AbortSignal,
): Promise<Readonly<Record<string, unknown>>> {
  const folder = await Deno.makeTempDir({ prefix: "net-" });
  try {
    const file = `${folder}/event`;
    await Deno.writeFile(file, event, { mode: 0o600 });
    return recordOf(await node.call("log.append", { ...params, file }, { signal }));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function readAll(input: ByteInput): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const piece = new Uint8Array(65_536);
    const count = await input.read(piece);
    if (count === null) break;
    length += count;
    if (length > EVENT_BYTES_MAX) {
      throw new NetError(
        "limit",
        `Cannot append event: it has more than ${EVENT_BYTES_MAX} bytes`,
        {
          next: "store it with net blob put and append its address",
        },
      );
    }
    pieces.push(piece.subarray(0, count));
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function fromHexLine(line: Uint8Array): Uint8Array {
  const text = new TextDecoder().decode(line).trim();
  const bytes = fromHex(text);
  if (bytes !== undefined) return bytes;
  throw new NetError("usage", `Cannot append event "${text.slice(0, 40)}": it is no hex`, {
    next: "write two hex digits for each byte",
  });
}

function add(sums: Sums, done: Readonly<Record<string, unknown>>): void {
  sums.count += numberOf(done.count) ?? 0;
  sums.first ??= numberOf(done.first);
  sums.last = numberOf(done.last);
  sums.persisted_seq = numberOf(done.persisted_seq) ?? 0;
  sums.token = textOf(done.token);
}

function appendedFields(channel: string, sums: Sums): Readonly<Record<string, unknown>> {
  return { channel, ...sums, first: sums.first ?? null, last: sums.last ?? null };
}

function appendedText(channel: string, { count, first, last }: Sums): string {
  if (count === 0) return "nothing to append";
  if (count === 1) return `appended event ${last} to ${channel}`;
  return `appended ${formatCount(count)} events to ${channel}: ${first} to ${last}`;
}
