/** Copies the sound records of a segment into a new one, byte for byte but for their places. */
import { PAGE_RECORDS, READ_WINDOW_BYTES } from "./limits.ts";
import { PayloadWindow } from "./payload_window.ts";
import { INDEX_BYTES, type IndexRecords, payloadChecksum, TIME_BYTES } from "./record_format.ts";
import type { Segment } from "./segment.ts";
import { placeInPage } from "./segment_pages.ts";
import type { Slices } from "./slices.ts";

/** A copy in the making: what is appended to the source meanwhile is copied too. */
export class SegmentCopy {
  readonly #from: Segment;
  readonly #to: Segment;
  readonly #payloads: PayloadWindow;
  readonly #idx = new Uint8Array(PAGE_RECORDS * INDEX_BYTES);
  readonly #ts = new Uint8Array(PAGE_RECORDS * TIME_BYTES);
  readonly #dat = new Uint8Array(READ_WINDOW_BYTES);
  readonly #view = new DataView(this.#idx.buffer);
  readonly #times = new DataView(this.#ts.buffer);
  #rank: number;

  /** @param firstSeq Records with smaller numbers are left out. */
  constructor(from: Segment, to: Segment, firstSeq: number) {
    this.#from = from;
    this.#to = to;
    this.#payloads = new PayloadWindow(from.files.dat);
    this.#rank = from.rankFrom(firstSeq);
  }

  /** Records that are still to be copied. */
  get left(): number {
    return this.#from.count - this.#rank;
  }

  /** Copies until nothing is left, letting others run. */
  async run(slices: Slices): Promise<void> {
    while (this.#rank < this.#from.count) {
      this.#copySome();
      if (slices.isOver) await slices.rest();
    }
  }

  /** Copies what is left, at once. */
  finish(): void {
    while (this.#rank < this.#from.count) this.#copySome();
  }

  /** Copies records until one of the buffers is full. */
  #copySome(): void {
    const from = this.#from;
    let count = 0;
    let bytes = 0;
    let firstSeq = -1;
    let lastSeq = this.#to.lastSeq;
    while (this.#rank < from.count && count < PAGE_RECORDS) {
      const record = from.damage.recordOf(this.#rank);
      const page = from.index(record);
      const at = placeInPage(record);
      const length = page.heapLength(at);
      if (length > this.#dat.length) {
        if (count > 0) break;
        this.#rank += 1;
        this.#copyLarge(page, at, this.#rank - 1);
        return;
      }
      if (bytes + length > this.#dat.length) break;
      this.#rank += 1;
      // Damage that nobody has met so far is not copied either.
      const seq = from.soundSeq(this.#rank - 1, page, at, lastSeq);
      if (seq === undefined || !this.#copyPayload(page, at, bytes)) continue;
      this.#idx.set(page.raw(at), count * INDEX_BYTES);
      if (!page.isInline(at)) {
        this.#view.setUint32(count * INDEX_BYTES + 8, this.#to.datBytes + bytes, true);
      }
      this.#times.setBigUint64(count * TIME_BYTES, from.timeAt(this.#rank - 1), true);
      if (firstSeq < 0) firstSeq = seq;
      lastSeq = seq;
      bytes += length;
      count += 1;
    }
    if (count > 0) this.#write(this.#dat.subarray(0, bytes), count, firstSeq, lastSeq);
  }

  #copyPayload(page: IndexRecords, at: number, to: number): boolean {
    if (page.isInline(at)) return payloadChecksum(page.inlinePayload(at)) === page.checksum(at);
    const length = page.heapLength(at);
    const payload = this.#payloads.view(page.offset(at), length);
    if (payload.length < length || payloadChecksum(payload) !== page.checksum(at)) return false;
    this.#dat.set(payload, to);
    return true;
  }

  #copyLarge(page: IndexRecords, at: number, rank: number): void {
    const length = page.heapLength(at);
    const seq = this.#from.soundSeq(rank, page, at, this.#to.lastSeq);
    const payload = this.#payloads.view(page.offset(at), length);
    const isSound = payload.length === length && payloadChecksum(payload) === page.checksum(at);
    if (seq === undefined || !isSound) return;
    this.#idx.set(page.raw(at));
    this.#view.setUint32(8, this.#to.datBytes, true);
    this.#times.setBigUint64(0, this.#from.timeAt(rank), true);
    this.#write(payload, 1, seq, seq);
  }

  #write(dat: Uint8Array, count: number, firstSeq: number, lastSeq: number): void {
    const idx = this.#idx.subarray(0, count * INDEX_BYTES);
    const ts = this.#ts.subarray(0, count * TIME_BYTES);
    this.#to.appendParts({ idx, dat, ts, count, firstSeq, lastSeq });
  }
}
