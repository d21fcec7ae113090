/** Events of a log on standard output: a line each, documents, hex, or bytes behind their length. */
import { concatBytes, utf8 } from "../src/base/mod.ts";
import type { NetContext } from "./context.ts";
import { switchFlag } from "./flags.ts";
import { listOf, numberOf, recordOf, textOf } from "./format.ts";
import { rangeText } from "./log_common.ts";
import { type Output, toDocument } from "./output.ts";

/** How events are printed. */
export interface PrintFlags {
  readonly hex?: boolean;
  readonly text?: boolean;
  readonly raw?: boolean;
  readonly meta?: boolean;
}

/** Flags that say how events are printed. */
export const PRINT_FLAGS = {
  hex: switchFlag("Print events in hex"),
  text: switchFlag("Print events as text, even where they are none"),
  raw: switchFlag("Print the bytes of events, 4 bytes of length in front, highest first"),
  meta: switchFlag("Print number and time in front of each event"),
} as const;

type Row = Readonly<Record<string, unknown>>;

/** Why events are not there any more, for people. */
const GONE: Readonly<Record<string, string>> = {
  retention: "forgotten, as the log's rules say",
  damage: "damaged; see net log verify",
  skipped: "these numbers were never used",
};

/** Prints what `log.read` tells. */
export class LogPrinter {
  readonly #context: NetContext;
  readonly #output: Output;
  readonly #flags: PrintFlags;
  readonly #verb: string;
  readonly #channel: string;
  /** Pieces of an event whose end has not come. */
  #pieces: Uint8Array[] = [];

  constructor(
    context: NetContext,
    output: Output,
    flags: PrintFlags,
    verb: string,
    channel: string,
  ) {
    this.#context = context;
    this.#output = output;
    this.#flags = flags;
    this.#verb = verb;
    this.#channel = channel;
  }

  /** Takes a report; resolves when it is written. */
  async take(report: unknown): Promise<void> {
    const { items, persisted_seq: persisted } = recordOf(report);
    const raw: Uint8Array[] = [];
    let text = "";
    for (const item of listOf(items).map(recordOf)) {
      if (item.kind === "lag") {
        text += this.#lag(item);
        continue;
      }
      const event = this.#whole(item);
      if (event === undefined) continue;
      if (this.#output.isJson) text += this.#document(event, persisted);
      else if (this.#flags.raw) raw.push(framed(bytesOf(event)));
      else text += this.#line(event);
    }
    if (text !== "") this.#context.io.writeOut(text);
    if (raw.length > 0) await this.#context.io.writeOutBytes(concatBytes(...raw));
  }

  #lag(item: Row): string {
    if (this.#output.isJson) {
      return `${toDocument(this.#verb, { channel: this.#channel, ...item })}\n`;
    }
    const count = (numberOf(item.to) ?? 0) - (numberOf(item.from) ?? 0) + 1;
    const what = count === 1 ? "event" : "events";
    const are = count === 1 ? "is" : "are";
    const why = GONE[textOf(item.reason)] ?? textOf(item.reason);
    this.#output.warn(`${what} ${rangeText(item)} of ${this.#channel} ${are} gone: ${why}`);
    return "";
  }

  /** The event, when its last piece has come. */
  #whole(item: Row): Row | undefined {
    if (item.more === undefined) return item;
    const { base64, more, ...head } = item;
    this.#pieces.push(Uint8Array.fromBase64(typeof base64 === "string" ? base64 : ""));
    if (more === true) return undefined;
    const bytes = concatBytes(...this.#pieces.splice(0));
    return { ...head, ...payloadOf(bytes) };
  }

  #document(event: Row, persisted: unknown): string {
    const { text: _, base64: __, ...head } = event;
    const payload = this.#flags.hex
      ? { hex: bytesOf(event).toHex() }
      : this.#flags.text
      ? { text: new TextDecoder().decode(bytesOf(event)) }
      : typeof event.text === "string"
      ? { text: event.text }
      : { base64: event.base64 };
    const seq = numberOf(event.seq) ?? 0;
    const fields = {
      channel: this.#channel,
      ...head,
      persisted: seq < (numberOf(persisted) ?? 0),
      ...payload,
    };
    return `${toDocument(this.#verb, fields)}\n`;
  }

  #line(event: Row): string {
    const head = this.#flags.meta ? `${textOf(event.seq)}\t${textOf(event.time)}\t` : "";
    if (this.#flags.hex) return `${head}${bytesOf(event).toHex()}\n`;
    if (typeof event.text === "string") return `${head}${this.#shown(event.text)}\n`;
    if (this.#flags.text) {
      return `${head}${this.#shown(new TextDecoder().decode(bytesOf(event)))}\n`;
    }
    return `${head}base64:${textOf(event.base64)}\n`;
  }

  /** On a terminal without what could steer it. */
  #shown(text: string): string {
    return this.#context.io.isStdoutTerminal ? textOf(text.replace(/\t/g, "  ")) : text;
  }
}

function bytesOf({ text, base64 }: Row): Uint8Array {
  if (typeof text === "string") return utf8(text);
  return Uint8Array.fromBase64(typeof base64 === "string" ? base64 : "");
}

function payloadOf(bytes: Uint8Array): { text: string } | { base64: string } {
  try {
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { base64: bytes.toBase64() };
  }
}

function framed(bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(4 + bytes.length);
  new DataView(frame.buffer).setUint32(0, bytes.length);
  frame.set(bytes, 4);
  return frame;
}
