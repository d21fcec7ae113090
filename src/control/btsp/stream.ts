/**
 * A BTSP session as a stream of lines (`validation.md` 8): one frame for each message, so that whoever reads and
 * writes lines need not know of frames.
 */
import { NetError, type RandomBytes, utf8 } from "../../base/mod.ts";
import type { ByteBudget } from "../byte_budget.ts";
import { CIPHER_BYTES_MAX, frameLength, FrameOpener, FrameSealer } from "./cipher.ts";
import { FrameReader } from "./frame_reader.ts";
import {
  type BtspSession,
  ClientHandshake,
  HANDSHAKE_BYTES_MAX,
  type HandshakeFailure,
  ServerHandshake,
} from "./handshake.ts";

const NEWLINE = 0x0a;
const SPACE = 0x20;

/** A connection, as far as it is read and written. */
export interface ByteStream {
  /** `null` at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes some of the bytes; how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/** Options of {@linkcode acceptBtsp}. */
export interface AcceptBtspOptions {
  /** From the family's seed; secret. */
  readonly handshakeKey: Uint8Array;
  readonly random: RandomBytes;
  /** True where nobody else can be on the line: then a client may do without a cipher. */
  readonly canBeClear: boolean;
  /** Longest message in bytes. */
  readonly messageBytesMax: number;
  /** What the buffers of all connections of a kind may take. */
  readonly budget: ByteBudget;
}

/** A session's stream, and how to give its memory back. */
export interface BtspStream extends ByteStream {
  release(): void;
}

/**
 * Opens a session for a client whose first bytes were read already.
 *
 * @returns The stream, or why there is none; the client was told.
 * @throws NetError `limit` or `integrity` for frames that are none; what the connection throws.
 */
export async function acceptBtsp(
  stream: ByteStream,
  first: Uint8Array,
  options: AcceptBtspOptions,
): Promise<BtspStream | HandshakeFailure> {
  const { handshakeKey, random, canBeClear, messageBytesMax, budget } = options;
  const frames = new FrameReader(stream, first, budget);
  const handshake = new ServerHandshake(handshakeKey, random, canBeClear);
  try {
    for (;;) {
      const frame = await frames.read(HANDSHAKE_BYTES_MAX);
      if (frame === undefined) return release(frames, "malformed");
      const step = handshake.take(frame);
      await writeFrame(stream, step.message);
      if (step.kind === "fail") return release(frames, step.reason);
      if (!step.isLast || handshake.session === undefined) continue;
      const { cipher, keys } = handshake.session;
      return new SessionStream(stream, frames, {
        sealer: new FrameSealer(cipher, keys.serverToClient),
        opener: new FrameOpener(cipher, keys.clientToServer),
        messageBytesMax,
      });
    }
  } catch (error) {
    frames.release();
    throw error;
  }
}

/**
 * Opens a session as a client.
 *
 * @throws NetError `handshake_refused` when the two sides do not have the same seed.
 */
export async function openBtsp(
  stream: ByteStream,
  handshakeKey: Uint8Array,
  messageBytesMax: number,
): Promise<BtspStream> {
  const frames = new FrameReader(stream);
  const handshake = new ClientHandshake(handshakeKey);
  const receive = async () => {
    const frame = await frames.read(HANDSHAKE_BYTES_MAX);
    if (frame === undefined) throw refused("the node closed the connection");
    return frame;
  };
  await writeFrame(stream, handshake.hello());
  const answer = handshake.answer(await receive());
  if (typeof answer === "string") throw refused(answer);
  await writeFrame(stream, answer.message);
  const session: BtspSession | string = handshake.finish(await receive());
  if (typeof session === "string") throw refused(session);
  return new SessionStream(stream, frames, {
    sealer: new FrameSealer(session.cipher, session.keys.clientToServer),
    opener: new FrameOpener(session.cipher, session.keys.serverToClient),
    messageBytesMax,
  });
}

class SessionStream implements BtspStream {
  readonly #stream: ByteStream;
  readonly #frames: FrameReader;
  readonly #sealer: FrameSealer;
  readonly #opener: FrameOpener;
  readonly #frameBytesMax: number;
  /** What was opened and not read yet, a message with its newline. */
  #rest = new Uint8Array();

  constructor(
    stream: ByteStream,
    frames: FrameReader,
    options: {
      readonly sealer: FrameSealer;
      readonly opener: FrameOpener;
      readonly messageBytesMax: number;
    },
  ) {
    this.#stream = stream;
    this.#frames = frames;
    this.#sealer = options.sealer;
    this.#opener = options.opener;
    this.#frameBytesMax = options.messageBytesMax + CIPHER_BYTES_MAX;
  }

  async read(into: Uint8Array): Promise<number | null> {
    if (this.#rest.length === 0) {
      const frame = await this.#frames.read(this.#frameBytesMax);
      if (frame === undefined) return null;
      this.#rest = asLine(this.#opener.open(frame));
    }
    const part = this.#rest.subarray(0, into.length);
    into.set(part);
    this.#rest = this.#rest.subarray(part.length);
    return part.length;
  }

  /** Takes whole lines only, which is what writers of lines write. */
  async write(bytes: Uint8Array): Promise<number> {
    for (let start = 0; start < bytes.length;) {
      const newline = bytes.indexOf(NEWLINE, start);
      const end = newline < 0 ? bytes.length : newline;
      await writeAll(this.#stream, this.#sealer.seal(bytes.subarray(start, end)));
      start = end + 1;
    }
    return bytes.length;
  }

  release(): void {
    this.#frames.release();
    this.#rest = new Uint8Array();
  }
}

/** Newlines of JSON stand between its parts, where a space does as well. */
function asLine(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const line = new Uint8Array(message.length + 1);
  line.set(message);
  for (let at = line.indexOf(NEWLINE); at >= 0; at = line.indexOf(NEWLINE, at + 1)) {
    line[at] = SPACE;
  }
  line[message.length] = NEWLINE;
  return line;
}

function release<T>(frames: FrameReader, result: T): T {
  frames.release();
  return result;
}

async function writeFrame(stream: ByteStream, text: string): Promise<void> {
  const message = utf8(text);
  const frame = new Uint8Array(4 + message.length);
  frame.set(frameLength(message.length));
  frame.set(message, 4);
  await writeAll(stream, frame);
}

async function writeAll(stream: ByteStream, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length;) {
    offset += await stream.write(bytes.subarray(offset));
  }
}

function refused(reason: string): NetError {
  return new NetError("handshake_refused", `Cannot open BTSP session: ${reason}`, {
    next: "give both sides the same family seed",
  });
}
