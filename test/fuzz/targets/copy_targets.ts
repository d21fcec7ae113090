/** Decoders of the calls about copies: requests, answers, and what is asked and said of holdings. */
import {
  decodeCopyReply,
  decodeCopyRequest,
  decodeHoldsAnswer,
  decodeHoldsQuestion,
  encodeCopyReply,
  encodeCopyRequest,
  encodeHoldsAnswer,
  encodeHoldsQuestion,
  HOLDINGS,
} from "../../../src/blob/mod.ts";
import { assertSame, type CreateTarget, type FuzzTarget } from "../fuzz.ts";

const HASH = new Uint8Array(32).fill(7);
const REQUEST = {
  address: HASH,
  sizeBytes: 4_194_304n,
  isDirectory: true,
  copies: 3,
  sources: [1n, 1n << 63n],
};

/** Targets of this file. */
export const COPY_TARGETS: Readonly<Record<string, CreateTarget>> = {
  copy_request: () =>
    stable(
      [
        encodeCopyRequest({ ...REQUEST, ref: new Uint8Array(0) }),
        encodeCopyRequest({ ...REQUEST, ref: new Uint8Array(60).fill(0xb0) }),
      ],
      decodeCopyRequest,
      encodeCopyRequest,
    ),
  copy_reply: () =>
    stable(
      [
        encodeCopyReply({ kind: "progress", doneBytes: 300n, totalBytes: 1n << 40n }),
        encodeCopyReply({ kind: "held", chunks: 9n, bytes: 1n << 60n }),
        encodeCopyReply({ kind: "refused", reason: "no_room" }),
      ],
      decodeCopyReply,
      encodeCopyReply,
    ),
  holds_question: () =>
    stable([encodeHoldsQuestion([HASH, HASH])], decodeHoldsQuestion, encodeHoldsQuestion),
  holds_answer: () =>
    stable(
      [encodeHoldsAnswer(HOLDINGS)],
      (bytes) => decodeHoldsAnswer(bytes, HOLDINGS.length),
      encodeHoldsAnswer,
    ),
};

/** What a decoder reads, its encoder writes so that it reads the same again. */
function stable<T>(
  corpus: readonly Uint8Array[],
  decode: (bytes: Uint8Array) => T | undefined,
  encode: (value: T) => Uint8Array,
): FuzzTarget {
  return {
    corpus,
    feed: (bytes) => {
      const value = decode(bytes);
      if (value === undefined) return undefined;
      const once = encode(value);
      const again = decode(once);
      if (again === undefined) throw new Error(`What was accepted is refused as ${once.toHex()}`);
      assertSame(encode(again), once);
      return value;
    },
  };
}
