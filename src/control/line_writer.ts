/**
 * Lines on their way out of one connection: joined, written in order, and counted while they wait
 * (`validation.md` 2, backpressure).
 *
 * It bounds nothing itself; whoever fills it looks at what waits.
 */
import type { ByteBudget } from "./byte_budget.ts";
import type { ControlCounters } from "./counters.ts";

const ENCODER = new TextEncoder();

/** What {@linkcode LineWriter} needs. */
export interface LineWriterDeps {
  /** Writes some of the bytes; how many. */
  readonly write: (bytes: Uint8Array) => Promise<number>;
  readonly counters: ControlCounters;
  /** What all connections of a kind hold together. */
  readonly budget: ByteBudget;
  readonly now: () => number;
  /** Something was written or given up, so that there is more room. */
  readonly onRoom: () => void;
  /** The connection cannot be written to. */
  readonly onFailure: (error: unknown) => void;
}

/** The way out of one connection. */
export class LineWriter {
  readonly #deps: LineWriterDeps;
  #lines: string[] = [];
  /** How many of `#lines` are replies. */
  #replies = 0;
  /** Replies that were not written, those that are being written among them. */
  #repliesWaiting = 0;
  #bytesWaiting = 0;
  #isWriting = false;
  #isHeld = false;
  #isClosed = false;
  #movedMs: number;

  constructor(deps: LineWriterDeps) {
    this.#deps = deps;
    this.#movedMs = deps.now();
  }

  /** Replies that wait or are being written. */
  get repliesWaiting(): number {
    return this.#repliesWaiting;
  }

  /** Characters that wait or are being written; bytes, for anything but a stranger's own text. */
  get bytesWaiting(): number {
    return this.#bytesWaiting;
  }

  /** True until everything pushed is written. */
  get isWriting(): boolean {
    return this.#isWriting;
  }

  /** When the other side last took a byte. */
  get movedMs(): number {
    return this.#movedMs;
  }

  /** Milliseconds that the other side has taken nothing although there was something; else 0. */
  stalledMs(nowMs: number): number {
    return this.#isWriting ? nowMs - this.#movedMs : 0;
  }

  /** Queues a line. Lines pushed in one turn go out in one write. */
  push(line: string, isReply: boolean): void {
    if (this.#isClosed) {
      if (isReply) this.#deps.counters.replies_dropped_total++;
      return;
    }
    this.#lines.push(line);
    this.#account(line.length + 1);
    if (isReply) {
      this.#replies++;
      this.#repliesWaiting++;
    }
    if (this.#isWriting) return;
    this.#isWriting = true;
    this.#movedMs = this.#deps.now();
    if (!this.#isHeld) queueMicrotask(() => void this.#writeAll());
  }

  /** Runs `work` and writes what it pushed in its end, so that the time of writing is the work's. */
  collect(work: () => void): void {
    const wasWriting = this.#isWriting;
    this.#isHeld = true;
    work();
    this.#isHeld = false;
    if (this.#isWriting && !wasWriting) void this.#writeAll();
  }

  /** Gives up what was not written. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#deps.counters.replies_dropped_total += this.#replies;
    this.#lines = [];
    this.#replies = 0;
    this.#repliesWaiting = 0;
    this.#account(-this.#bytesWaiting);
  }

  #account(bytes: number): void {
    this.#bytesWaiting += bytes;
    this.#deps.budget.add(bytes);
  }

  async #writeAll(): Promise<void> {
    const { counters, now, write, onRoom } = this.#deps;
    try {
      while (this.#lines.length > 0 && !this.#isClosed) {
        const text = `${this.#lines.join("\n")}\n`;
        const replies = this.#replies;
        this.#lines = [];
        this.#replies = 0;
        const bytes = ENCODER.encode(text);
        for (let offset = 0; offset < bytes.length;) {
          const written = await write(offset === 0 ? bytes : bytes.subarray(offset));
          offset += written;
          counters.sent_bytes_total += written;
          this.#movedMs = now();
        }
        if (this.#isClosed) break;
        this.#account(-text.length);
        this.#repliesWaiting -= replies;
        onRoom();
      }
    } catch (error) {
      if (!this.#isClosed) this.#deps.onFailure(error);
    } finally {
      this.#isWriting = false;
      onRoom();
    }
  }
}
