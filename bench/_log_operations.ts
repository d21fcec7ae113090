/** What `bench/log.ts` asks of a process that runs one side, ours or the Rust core's. */

/** A measured rate. */
export interface Rate {
  readonly perSecond: number;
}

/** Measured times. */
export interface Times {
  readonly p50Us: number;
  readonly p99Us: number;
}

/** What of an ingest was measured. */
export interface IngestRates {
  /** Taken, until the last call returned. */
  readonly takenPerSecond: number;
  /** Handed to the adapter, until all of it was. */
  readonly handedOnPerSecond: number;
}

/** Questions for tasks: two conditions each. */
export const TASK_QUESTIONS = {
  /** About a quarter of all. */
  broad: { status: "pending", isNewer: true, title: undefined },
  /** A hundredth of all. */
  narrow: { status: "pending", isNewer: false, title: "98 of" },
} as const;

/** Name of a question. */
export type TaskQuestion = keyof typeof TASK_QUESTIONS;

/** Title of a task; every second is completed. */
export function taskTitle(id: number): string {
  return `task ${id % 1000} of ${id}`;
}

/** When a task is created, in nanoseconds. */
export function taskTime(id: number): bigint {
  return 1_700_000_000_000_000_000n + BigInt(id) * 1_000_000n;
}

/** Every operation: its arguments and its result. */
export interface LogOperations {
  /** Appends to a new channel on disk, so many at a time. */
  appendBatches: [
    { folder: string; events: number; perBatch: number; eventBytes: number },
    Rate,
  ];
  /** Appends to a new channel on disk one by one, each written to the file when the call returns. */
  appendEach: [{ folder: string; events: number; eventBytes: number }, Rate];
  /** The same, each on the device when it counts: `writers` at a time, one after the other with 1. */
  appendDurable: [
    { folder: string; events: number; writers: number; eventBytes: number },
    Rate,
  ];
  /** Appends to a channel on disk and waits until a live tail gives the event, one at a time. */
  tail: [{ folder: string; events: number; eventBytes: number }, Times];
  /** Takes JSON events into a bus of two shards whose adapter keeps nothing. */
  ingest: [{ events: number; perCall: number; eventBytes: number }, IngestRates];
  /** Makes tasks in memory, every second completed. */
  makeTasks: [{ count: number }, null];
  /** Asks again and again. */
  findTasks: [{ question: TaskQuestion; times: number }, Times & { readonly rows: number }];
  /** Opens a channel on disk that holds events of tasks, and has all of it folded when it is over. */
  foldTasks: [{ folder: string; count: number }, { readonly seconds: number }];
}

/** What only our side is asked for. */
export interface OwnLogOperations {
  /** Makes such a channel: every second event completes a task. */
  makeTaskLog: [{ folder: string; count: number }, null];
  /** Makes a channel of so many payload bytes, 1 KiB of zeros each, and closes it. */
  makeSparseLog: [{ folder: string; bytes: number }, null];
  /** Opens it and reads the last event. */
  openLog: [{ folder: string }, { readonly ms: number; readonly events: number }];
}

/** Handlers of operations. */
export type LogHandlers<Operations = LogOperations> = {
  [Name in keyof Operations]: Operations[Name] extends [infer Arguments, infer Result]
    ? (args: Arguments) => Result | Promise<Result>
    : never;
};

/** Times an operation on so many events. */
export async function rateOf(events: number, run: () => void | Promise<void>): Promise<Rate> {
  const begin = performance.now();
  await run();
  return { perSecond: 1e3 * events / (performance.now() - begin) };
}

/** Median and 99th percentile of times in milliseconds. */
export function timesOf(ms: Float64Array): Times {
  const sorted = ms.toSorted();
  const at = (part: number) => 1e3 * (sorted[Math.floor(part * (sorted.length - 1))] ?? NaN);
  return { p50Us: at(0.5), p99Us: at(0.99) };
}

/** JSON texts of exactly so many bytes, all different. */
export function jsonEvents(count: number, eventBytes: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const text = JSON.stringify({ id: i, kind: "reading", value: i * 7 % 1000, pad: "" });
    return text.replace('"pad":""', `"pad":"${"x".repeat(eventBytes - text.length)}"`);
  });
}
