/** What a call answers with, on standard output: bytes as they are, a line per item, or documents. */
import { concatBytes, utf8 } from "../src/base/mod.ts";
import type { NetContext } from "./context.ts";
import { listOf, recordOf } from "./format.ts";
import { toDocument } from "./output.ts";

const LINE_FEED = Uint8Array.of(0x0a);

/** How answers are printed. */
export interface AnswerOptions {
  readonly isJson: boolean;
  /** Bytes exactly as they came; of a stream each item behind its length. */
  readonly isRaw: boolean;
  /** Any number of items may come. */
  readonly isStream: boolean;
  /** Members of every document. */
  readonly facts: object;
}

/** Prints items as they come in pieces. */
export class AnswerPrinter {
  /** Items so far. */
  items = 0;
  /** Bytes so far. */
  bytes = 0;
  readonly #context: NetContext;
  readonly #options: AnswerOptions;
  /** Pieces of the item that comes now, where it is needed whole. */
  #pieces: Uint8Array[] = [];
  /** The last item of a call that answers once, for its document. */
  #last: Uint8Array | undefined;

  constructor(context: NetContext, options: AnswerOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** The one item that came, for the document of a call that is answered once. */
  get last(): Uint8Array {
    return this.#last ?? new Uint8Array(0);
  }

  /** Takes progress of `nrpc.call`; resolves when it is written. */
  async take(report: unknown): Promise<void> {
    const { items, more } = recordOf(report);
    const texts = listOf(items);
    // What came together is written together.
    const out: Uint8Array[] = [];
    for (const [i, text] of texts.entries()) {
      const piece = Uint8Array.fromBase64(typeof text === "string" ? text : "");
      this.#takePiece(piece, more === true && i === texts.length - 1, out);
    }
    if (out.length > 0) await this.#context.io.writeOutBytes(joined(out));
  }

  #takePiece(piece: Uint8Array, isMore: boolean, out: Uint8Array[]): void {
    const { isJson, isRaw, isStream } = this.#options;
    this.bytes += piece.length;
    if (!isMore) this.items += 1;
    const isWholeNeeded = isJson || (isRaw ? isStream : this.#context.io.isStdoutTerminal);
    if (isWholeNeeded) {
      this.#pieces.push(piece);
      if (isMore) return;
      const item = joined(this.#pieces);
      this.#pieces = [];
      this.#putItem(item, out);
    } else {
      if (piece.length > 0) out.push(piece);
      if (!isMore && isStream) out.push(LINE_FEED);
    }
  }

  #putItem(item: Uint8Array, out: Uint8Array[]): void {
    const { isJson, isRaw, isStream, facts } = this.#options;
    if (isJson) {
      if (!isStream) this.#last = item;
      else out.push(utf8(`${toDocument("rpc.call", { ...facts, ...bodyFields(item) })}\n`));
    } else if (this.#context.io.isStdoutTerminal && !isRaw) {
      out.push(utf8(terminalText(item)));
    } else {
      const head = new Uint8Array(4);
      new DataView(head.buffer).setUint32(0, item.length);
      out.push(head, item);
    }
  }
}

/** A body as documents tell it: text where it is some, else base64. */
export function bodyFields(
  body: Uint8Array,
): { readonly text: string } | { readonly base64: string } {
  const text = textOrNothing(body);
  return text === undefined ? { base64: body.toBase64() } : { text };
}

/** A body for a terminal: without what could steer it, with a line feed at its end. */
function terminalText(body: Uint8Array): string {
  const text = textOrNothing(body);
  if (text === undefined) return `base64:${body.toBase64()}\n`;
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  const shown = text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "");
  return shown === "" || shown.endsWith("\n") ? shown : `${shown}\n`;
}

function textOrNothing(body: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return undefined;
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const [only] = pieces;
  return pieces.length === 1 && only !== undefined ? only : concatBytes(...pieces);
}
