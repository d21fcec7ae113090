/** Index records and times of a segment, page by page, of which the last used ones are kept. */
import { PAGE_RECORDS, PAGES_MAX } from "./limits.ts";
import { type IndexRecords, TIME_BYTES } from "./record_format.ts";
import { readIndex } from "./scan_segment.ts";
import type { SegmentFiles } from "./segment_files.ts";

/** Where a record is in its page. */
export function placeInPage(record: number): number {
  return record % PAGE_RECORDS;
}

/** Pages of one segment. */
export class SegmentPages {
  readonly #files: SegmentFiles;
  readonly #index = new Map<number, IndexRecords>();
  readonly #times = new Map<number, DataView>();
  /** The time that was asked for last: events of one append have the same, and a bigint has its price. */
  #timeLow = 0;
  #timeHigh = 0;
  #timeNs = 0n;

  constructor(files: SegmentFiles) {
    this.#files = files;
  }

  /** The page that has a record, which is below `records`. */
  index(record: number, records: number): IndexRecords {
    const number = Math.floor(record / PAGE_RECORDS);
    const at = placeInPage(record);
    let page = this.#index.get(number);
    // The last page grows.
    if (page === undefined || at >= page.count) {
      const start = number * PAGE_RECORDS;
      page = readIndex(this.#files.idx, start, Math.min(PAGE_RECORDS, records - start));
      keep(this.#index, number, page);
    }
    if (at >= page.count) throw new Error(`the index ends before record ${record}`);
    return page;
  }

  /** A time; 0 when the file ends before it. */
  time(entry: number, entries: number): bigint {
    const number = Math.floor(entry / PAGE_RECORDS);
    const at = (entry - number * PAGE_RECORDS) * TIME_BYTES;
    let page = this.#times.get(number);
    if (page === undefined || at >= page.byteLength) {
      const start = number * PAGE_RECORDS;
      const bytes = new Uint8Array(Math.min(PAGE_RECORDS, entries - start) * TIME_BYTES);
      const length = this.#files.ts.readAt(start * TIME_BYTES, bytes);
      page = new DataView(bytes.buffer, 0, length - length % TIME_BYTES);
      keep(this.#times, number, page);
    }
    if (at >= page.byteLength) return 0n;
    const [low, high] = [page.getUint32(at, true), page.getUint32(at + 4, true)];
    if (low !== this.#timeLow || high !== this.#timeHigh) {
      this.#timeLow = low;
      this.#timeHigh = high;
      this.#timeNs = page.getBigUint64(at, true);
    }
    return this.#timeNs;
  }
}

/** Keeps a page; the one that was fetched first goes. */
function keep<Page>(pages: Map<number, Page>, number: number, page: Page): void {
  pages.delete(number);
  pages.set(number, page);
  if (pages.size <= PAGES_MAX) return;
  for (const oldest of pages.keys()) {
    pages.delete(oldest);
    break;
  }
}
