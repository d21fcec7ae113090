/**
 * What was appended last, for readers that follow the appends: they need not go to the files for it.
 *
 * Nothing is kept while nobody reads at the end of the log.
 */
import type { StoredRecord } from "../record_store.ts";
import { RECENT_APPENDS_MAX, RECENT_BYTES_MAX, RECENT_WANTED_APPENDS } from "./limits.ts";
import type { ReadProgress } from "./read_segment.ts";

/** One append. */
interface RecentAppend {
  readonly firstSeq: number;
  readonly timeNs: bigint;
  /** Payloads one behind the other; handed out as views, never written again. */
  readonly bytes: Uint8Array;
  /** Where each ends. */
  readonly ends: readonly number[];
}

/** The last appends of a store. */
export class RecentRecords {
  #appends: RecentAppend[] = [];
  #bytes = 0;
  /** Appends that are still to be kept for the reader that was here last. */
  #wanted = 0;

  /** Keeps an append, if somebody follows. */
  add(payloads: readonly Uint8Array[], firstSeq: number, timeNs: bigint, byteLength: number): void {
    if (this.#wanted <= 0) return;
    this.#wanted -= 1;
    if (this.#wanted === 0 || byteLength > RECENT_BYTES_MAX) {
      this.clear();
      return;
    }
    const bytes = new Uint8Array(byteLength);
    const ends: number[] = [];
    let end = 0;
    for (const payload of payloads) {
      bytes.set(payload, end);
      end += payload.length;
      ends.push(end);
    }
    this.#appends.push({ firstSeq, timeNs, bytes, ends });
    this.#bytes += byteLength;
    while (this.#bytes > RECENT_BYTES_MAX || this.#appends.length > RECENT_APPENDS_MAX) {
      this.#bytes -= this.#appends.shift()?.bytes.length ?? 0;
    }
  }

  /** Reads on from `progress.next`, if that is here; false when it is not. */
  read(to: number, progress: ReadProgress, nextSeq: number): boolean {
    if (progress.next >= nextSeq - RECENT_APPENDS_MAX) this.#wanted = RECENT_WANTED_APPENDS;
    const first = this.#appends[0];
    if (first === undefined || progress.next < first.firstSeq) return false;
    for (let at = this.#indexOf(progress.next); at < this.#appends.length; at++) {
      if (!take(this.#appends[at] as RecentAppend, to, progress)) break;
    }
    return true;
  }

  /** Forgets all, as what is not appended one after the other is not found. */
  clear(): void {
    this.#appends = [];
    this.#bytes = 0;
  }

  /** The append that holds a number, or the first behind it; most readers want the last one. */
  #indexOf(seq: number): number {
    let at = this.#appends.length - 1;
    while (at > 0 && (this.#appends[at] as RecentAppend).firstSeq > seq) at -= 1;
    const append = this.#appends[at] as RecentAppend;
    return seq >= append.firstSeq + append.ends.length ? at + 1 : at;
  }
}

/** Takes records of an append; false when a limit ends the read. */
function take(append: RecentAppend, to: number, progress: ReadProgress): boolean {
  const { firstSeq, ends, bytes, timeNs } = append;
  for (let i = Math.max(0, progress.next - firstSeq); i < ends.length; i++) {
    const seq = firstSeq + i;
    if (seq >= to || progress.recordsLeft <= 0) return false;
    const start = i === 0 ? 0 : ends[i - 1] as number;
    const end = ends[i] as number;
    if (end - start > progress.bytesLeft && progress.records.length > 0) {
      progress.bytesLeft = 0;
      return false;
    }
    const record: StoredRecord = { seq, payload: bytes.subarray(start, end), timeNs };
    progress.records.push(record);
    progress.next = seq + 1;
    progress.recordsLeft -= 1;
    progress.bytesLeft -= end - start;
  }
  return true;
}
