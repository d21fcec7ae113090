/**
 * Parts of a frame that is too long for one packet, between nodes of ours (docs/rpc-bodies.md).
 *
 * The head is that of the whole frame but for its first byte; the body says what the whole is, how long the
 * body of the whole is, and where in it these bytes belong.
 *
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 1 | dispatch of the whole frame |
 * | 1 | 3 | 0 |
 * | 4 | 4 | bytes of the whole body |
 * | 8 | 4 | offset of this part |
 * | 12 | … | the part, at least one byte |
 *
 * A sender that gives a frame up in the middle says so with a fragment without a part, total and offset 0.
 */
import { readU32, writeU32 } from "./frame.ts";

/** Tag by which a node says that it takes fragments and numbers of items. */
export const TAG_RPC_BODIES = "net.rpc-bodies@1";

/** Bytes in front of a part. */
export const FRAGMENT_HEAD_BYTES = 12;

/** Writes what stands in front of a part; returns where the part begins. */
export function writeFragmentHead(
  target: Uint8Array,
  at: number,
  dispatch: number,
  total: number,
  offset: number,
): number {
  target[at] = dispatch;
  target[at + 1] = 0;
  target[at + 2] = 0;
  target[at + 3] = 0;
  writeU32(target, at + 4, total);
  writeU32(target, at + 8, offset);
  return at + FRAGMENT_HEAD_BYTES;
}

/** A part as read. */
export class FragmentBody {
  dispatch = 0;
  total = 0;
  offset = 0;
  partAt = 0;

  /** True when nothing more comes of the frame. */
  get isAbandoned(): boolean {
    return this.total === 0;
  }

  /** Reads a part that begins at `start` and reaches to the end of `bytes`. */
  read(bytes: Uint8Array, start: number): boolean {
    this.partAt = start + FRAGMENT_HEAD_BYTES;
    if (this.partAt > bytes.length) return false;
    this.dispatch = bytes[start] as number;
    this.total = readU32(bytes, start + 4);
    this.offset = readU32(bytes, start + 8);
    if (this.partAt === bytes.length) return this.total === 0 && this.offset === 0;
    return this.offset + (bytes.length - this.partAt) <= this.total;
  }
}
