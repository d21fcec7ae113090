/**
 * Records of a channel in memory (`storage.md` 4).
 *
 * They lie in blocks of a thousand: payloads back to back, as on disk, and of each record where it ends and
 * its time. So an event costs 12 bytes besides its payload and no object; what retention forgets goes
 * block by block. Payloads are copied when they come in, and given out as views of the block.
 */
import { RedexError } from "./error.ts";
import {
  BLOCK_BYTES,
  BLOCK_FIRST_BYTES,
  BLOCK_FIRST_RECORDS,
  BLOCK_RECORDS,
  MEMORY_BYTES_MAX,
  RECORD_BYTES,
  SEQ_MAX,
} from "./limits.ts";
import type { RecordRead, RecordStore, StoredRecord } from "./record_store.ts";

/** A run of records. Bytes of a record that was handed out are never written again. */
interface Block {
  readonly firstSeq: number;
  count: number;
  payloads: Uint8Array;
  /** Where each record's payload ends in `payloads`. */
  ends: Uint32Array;
  times: BigUint64Array;
  /** The least of the times: a clock may have been set back. */
  oldestNs: bigint;
}

/** Options of {@linkcode MemoryRecordStore}. */
export interface MemoryRecordStoreOptions {
  /** Number of the first event; 0 when left out. */
  readonly firstSeq?: number;
  /** Most bytes kept, with 20 per record. */
  readonly bytesMax?: number;
}

/** Keeps a channel's records until it is closed. */
export class MemoryRecordStore implements RecordStore {
  readonly generation = 1;
  readonly damaged = 0;
  readonly failure = undefined;
  readonly #bytesMax: number;
  /** Those of the first block that are below `#firstSeq` are gone already. */
  #blocks: Block[] = [];
  #firstSeq: number;
  #nextSeq: number;
  #count = 0;
  #bytes = 0;

  constructor({ firstSeq = 0, bytesMax = MEMORY_BYTES_MAX }: MemoryRecordStoreOptions = {}) {
    this.#firstSeq = firstSeq;
    this.#nextSeq = firstSeq;
    this.#bytesMax = bytesMax;
  }

  get firstSeq(): number {
    return this.#firstSeq;
  }

  get nextSeq(): number {
    return this.#nextSeq;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get persistedSeq(): number {
    return this.#nextSeq;
  }

  append(payloads: readonly Uint8Array[], timeNs: bigint): number {
    let added = payloads.length * RECORD_BYTES;
    for (const payload of payloads) added += payload.length;
    if (added + this.#bytes > this.#bytesMax) {
      throw new RedexError(
        "payload_too_large",
        `Cannot append: ${this.#bytes} bytes are kept in memory and ${added} come, ` +
          `at most ${this.#bytesMax} fit`,
        { next: "give the channel a retention, or keep it on disk" },
      );
    }
    if (this.#nextSeq + payloads.length > SEQ_MAX) {
      throw new RedexError(
        "seq_out_of_range",
        `Cannot append: ${this.#nextSeq} is the last number`,
      );
    }
    const first = this.#nextSeq;
    // The only thing that may fail is an allocation; it must not leave half a batch.
    try {
      for (const payload of payloads) this.#add(payload, timeNs);
    } catch (error) {
      this.#cut(first);
      throw new RedexError("io", "Cannot append: there is no memory left", { cause: error });
    }
    return first;
  }

  read(from: number, to: number, recordsMax: number, bytesMax: number): RecordRead {
    const records: StoredRecord[] = [];
    const end = Math.min(to, this.#nextSeq);
    let seq = Math.max(from, this.#firstSeq);
    let bytes = 0;
    for (let at = this.#blockOf(seq); seq < end && at < this.#blocks.length; at++) {
      const block = this.#blocks[at] as Block;
      // Numbers between two blocks were skipped.
      seq = Math.max(seq, block.firstSeq);
      const blockEnd = Math.min(end, block.firstSeq + block.count);
      for (; seq < blockEnd; seq++) {
        if (records.length >= recordsMax) return { records, next: seq, damaged: [] };
        const payload = payloadAt(block, seq - block.firstSeq);
        bytes += payload.length;
        if (bytes > bytesMax && records.length > 0) return { records, next: seq, damaged: [] };
        records.push({ seq, payload, timeNs: block.times[seq - block.firstSeq] as bigint });
      }
    }
    return { records, next: Math.max(from, end), damaged: [] };
  }

  skipTo(seq: number): void {
    if (this.#count === 0) this.#firstSeq = seq;
    this.#nextSeq = seq;
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  firstToKeep(rule: {
    readonly eventsMax?: number;
    readonly bytesMax?: number;
    readonly notBeforeNs?: bigint;
  }): number {
    const { eventsMax, bytesMax, notBeforeNs } = rule;
    return Math.max(
      this.#firstSeq,
      eventsMax === undefined ? 0 : this.#firstOfNewest(eventsMax),
      bytesMax === undefined ? 0 : this.#firstWithin(bytesMax),
      notBeforeNs === undefined ? 0 : this.#firstSince(notBeforeNs),
    );
  }

  compact(firstSeq: number): Promise<void> {
    for (let block = this.#blocks[0]; block !== undefined; block = this.#blocks[0]) {
      const from = Math.max(this.#firstSeq, block.firstSeq);
      const blockEnd = block.firstSeq + block.count;
      const until = Math.min(Math.max(firstSeq, from), blockEnd);
      this.#bytes -= bytesOf(block, from - block.firstSeq, until - block.firstSeq);
      this.#count -= until - from;
      this.#firstSeq = until;
      if (until < blockEnd) break;
      this.#blocks.shift();
    }
    if (this.#count === 0) this.#firstSeq = this.#nextSeq;
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#blocks = [];
    this.#firstSeq = this.#nextSeq;
    this.#count = 0;
    this.#bytes = 0;
    return Promise.resolve();
  }

  #add(payload: Uint8Array, timeNs: bigint): void {
    const block = this.#blockFor(payload.length);
    const start = block.count === 0 ? 0 : block.ends[block.count - 1] as number;
    block.payloads.set(payload, start);
    block.ends[block.count] = start + payload.length;
    block.times[block.count] = timeNs;
    if (timeNs < block.oldestNs || block.count === 0) block.oldestNs = timeNs;
    block.count += 1;
    this.#count += 1;
    this.#nextSeq += 1;
    this.#bytes += RECORD_BYTES + payload.length;
  }

  /** The block that takes one more record of so many bytes. */
  #blockFor(length: number): Block {
    const last = this.#blocks.at(-1);
    const hasNext = last !== undefined && last.firstSeq + last.count === this.#nextSeq;
    if (hasNext && last.count < BLOCK_RECORDS) {
      const used = last.count === 0 ? 0 : last.ends[last.count - 1] as number;
      if (used + length <= Math.max(BLOCK_BYTES, last.payloads.length)) {
        grow(last, used, used + length);
        return last;
      }
    }
    const isFirst = last === undefined;
    const block: Block = {
      firstSeq: this.#nextSeq,
      count: 0,
      payloads: new Uint8Array(Math.max(length, isFirst ? BLOCK_FIRST_BYTES : BLOCK_BYTES)),
      ends: new Uint32Array(isFirst ? BLOCK_FIRST_RECORDS : BLOCK_RECORDS),
      times: new BigUint64Array(isFirst ? BLOCK_FIRST_RECORDS : BLOCK_RECORDS),
      oldestNs: 0n,
    };
    this.#blocks.push(block);
    return block;
  }

  /** Takes back the records from `seq` on, which were appended without a gap. */
  #cut(seq: number): void {
    for (let block = this.#blocks.at(-1); block !== undefined; block = this.#blocks.at(-1)) {
      const keep = Math.max(0, seq - block.firstSeq);
      if (keep >= block.count) break;
      this.#bytes -= bytesOf(block, keep, block.count);
      this.#count -= block.count - keep;
      block.count = keep;
      if (keep > 0) break;
      this.#blocks.pop();
    }
    this.#nextSeq = seq;
  }

  /** Index of the block that has `seq`, or of the one behind. */
  #blockOf(seq: number): number {
    // Live tails read the end.
    const last = this.#blocks.length - 1;
    if (last >= 0 && seq >= (this.#blocks[last] as Block).firstSeq) return last;
    let [low, high] = [0, last];
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#blocks[middle] as Block).firstSeq <= seq) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** First of the newest so many records. */
  #firstOfNewest(count: number): number {
    let left = count;
    for (let at = this.#blocks.length - 1; at >= 0; at--) {
      const block = this.#blocks[at] as Block;
      if (left <= block.count) return block.firstSeq + block.count - left;
      left -= block.count;
    }
    return this.#firstSeq;
  }

  /** First of the newest records that together have at most so many bytes. */
  #firstWithin(bytesMax: number): number {
    let excess = this.#bytes - bytesMax;
    if (excess <= 0) return this.#firstSeq;
    for (const block of this.#blocks) {
      const from = Math.max(0, this.#firstSeq - block.firstSeq);
      const whole = bytesOf(block, from, block.count);
      if (whole <= excess) {
        excess -= whole;
        continue;
      }
      for (let i = from; i < block.count; i++) {
        if (excess <= 0) return block.firstSeq + i;
        excess -= bytesOf(block, i, i + 1);
      }
    }
    return this.#nextSeq;
  }

  /** The number behind the last record that is older than `timeNs`. */
  #firstSince(timeNs: bigint): number {
    for (let at = this.#blocks.length - 1; at >= 0; at--) {
      const block = this.#blocks[at] as Block;
      if (block.oldestNs >= timeNs) continue;
      const floor = Math.max(0, this.#firstSeq - block.firstSeq);
      for (let i = block.count - 1; i >= floor; i--) {
        if ((block.times[i] as bigint) < timeNs) return block.firstSeq + i + 1;
      }
    }
    return this.#firstSeq;
  }
}

/** Makes room for one more record that ends at `end`; what was handed out keeps its bytes. */
function grow(block: Block, used: number, end: number): void {
  if (end > block.payloads.length) {
    const length = Math.min(BLOCK_BYTES, Math.max(end, 2 * block.payloads.length));
    const payloads = new Uint8Array(length);
    payloads.set(block.payloads.subarray(0, used));
    block.payloads = payloads;
  }
  if (block.count < block.ends.length) return;
  const ends = new Uint32Array(Math.min(BLOCK_RECORDS, 4 * block.count));
  const times = new BigUint64Array(ends.length);
  ends.set(block.ends);
  times.set(block.times);
  block.ends = ends;
  block.times = times;
}

function payloadAt(block: Block, index: number): Uint8Array {
  const start = index === 0 ? 0 : block.ends[index - 1] as number;
  return block.payloads.subarray(start, block.ends[index]);
}

/** Bytes of records `from` to `to` of a block, with 20 per record. */
function bytesOf(block: Block, from: number, to: number): number {
  if (to <= from) return 0;
  const start = from === 0 ? 0 : block.ends[from - 1] as number;
  return (block.ends[to - 1] as number) - start + (to - from) * RECORD_BYTES;
}
