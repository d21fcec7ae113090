/** The Rust core's log, bus and tasks through its addon, told what to do by JSON lines. */
import { Buffer } from "node:buffer";
import { loadRustAddon } from "../test/interop/rust_addon.ts";
import { serveLines } from "../test/interop/serve_lines.ts";
import {
  jsonEvents,
  type LogHandlers,
  rateOf,
  TASK_QUESTIONS,
  taskTime,
  taskTitle,
  timesOf,
} from "./_log_operations.ts";

interface CoreFile {
  append(payload: Buffer): bigint;
  appendBatch(payloads: Buffer[]): bigint;
  sync(): Promise<void>;
  close(): Promise<void>;
  tail(from: bigint): Promise<{ next(): Promise<unknown>; close(): void }>;
}

interface CoreTasks {
  create(id: bigint, title: string, atNs: bigint): bigint;
  complete(id: bigint, atNs: bigint): bigint;
  waitForSeq(seq: bigint): Promise<void>;
  listTasks(filter: object): unknown[];
  count(): number;
}

interface CoreBus {
  pushBatch(events: Buffer[]): number;
  flush(): Promise<void>;
  stats(): { eventsIngested: bigint; eventsDropped: bigint };
  shutdown(): Promise<void>;
}

interface LogAddon {
  readonly Redex: new (folder: string) => {
    openFile(name: string, config: { persistent: boolean }): CoreFile;
  };
  readonly Net: { create(options: object): Promise<CoreBus> };
  readonly TasksAdapter: {
    open(redex: unknown, origin: bigint, isPersistent: boolean): Promise<CoreTasks>;
  };
  readonly NetDb: {
    open(options: object): Promise<{ readonly tasks: CoreTasks; close(): Promise<void> }>;
  };
}

const addon = loadRustAddon() as unknown as LogAddon;
const ORIGIN = 1n;

async function withFile<Value>(
  folder: string,
  use: (file: CoreFile) => Value | Promise<Value>,
): Promise<Value> {
  const file = new addon.Redex(folder).openFile("bench/log", { persistent: true });
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

function createHandlers(): LogHandlers {
  let tasks: CoreTasks | undefined;
  return {
    appendBatches: ({ folder, events, perBatch, eventBytes }) =>
      withFile(folder, (file) => {
        const batch = Array.from({ length: perBatch }, (_, i) => Buffer.alloc(eventBytes, i));
        return rateOf(events, () => {
          for (let done = 0; done < events; done += perBatch) file.appendBatch(batch);
        });
      }),
    appendEach: ({ folder, events, eventBytes }) =>
      withFile(folder, (file) => {
        const payload = Buffer.alloc(eventBytes, 7);
        return rateOf(events, () => {
          for (let i = 0; i < events; i++) file.append(payload);
        });
      }),
    appendDurable: ({ folder, events, eventBytes }) =>
      withFile(folder, (file) => {
        const payload = Buffer.alloc(eventBytes, 7);
        return rateOf(events, async () => {
          for (let i = 0; i < events; i++) {
            file.append(payload);
            await file.sync();
          }
        });
      }),
    tail: ({ folder, events, eventBytes }) =>
      withFile(folder, async (file) => {
        const payload = Buffer.alloc(eventBytes, 7);
        const tail = await file.tail(0n);
        const ms = new Float64Array(events);
        for (let i = 0; i < events; i++) {
          const next = tail.next();
          const begin = performance.now();
          file.append(payload);
          await next;
          ms[i] = performance.now() - begin;
        }
        tail.close();
        return timesOf(ms);
      }),
    ingest: async ({ events, perCall, eventBytes }) => {
      const bus = await addon.Net.create({ numShards: 2 });
      const all = jsonEvents(perCall, eventBytes).map((text) => Buffer.from(text));
      const begin = performance.now();
      for (let done = 0; done < events; done += perCall) bus.pushBatch(all);
      const takenMs = performance.now() - begin;
      await bus.flush();
      const handedOnMs = performance.now() - begin;
      const { eventsIngested, eventsDropped } = bus.stats();
      if (eventsIngested !== BigInt(events) || eventsDropped !== 0n) {
        throw new Error(`The core took ${eventsIngested} and dropped ${eventsDropped}`);
      }
      await bus.shutdown();
      return {
        takenPerSecond: 1e3 * events / takenMs,
        handedOnPerSecond: 1e3 * events / handedOnMs,
      };
    },
    makeTasks: async ({ count }) => {
      const db = await addon.NetDb.open({ originHash: ORIGIN, withTasks: true });
      tasks = db.tasks;
      let last = 0n;
      for (let id = 0; id < count; id++) {
        last = tasks.create(BigInt(id), taskTitle(id), taskTime(id));
        if (id % 2 === 1) last = tasks.complete(BigInt(id), taskTime(id));
        // A fold of the core that is more than 1,024 events behind stops for good.
        if (id % 256 === 0) await tasks.waitForSeq(last);
      }
      await tasks.waitForSeq(last);
      return null;
    },
    findTasks: ({ question, times }) => {
      if (tasks === undefined) throw new Error("There are no tasks");
      const { status, isNewer, title } = TASK_QUESTIONS[question];
      // Between two tasks, so that it does not matter whether the bound is one of them.
      const middle = taskTime(tasks.count() >> 1) + 1n;
      const filter = {
        status: status === "pending" ? "Pending" : "Completed",
        ...isNewer ? { createdAfterNs: middle } : {},
        ...title === undefined ? {} : { titleContains: title },
      };
      const ms = new Float64Array(times);
      let rows = 0;
      for (let i = 0; i < times; i++) {
        const begin = performance.now();
        rows = tasks.listTasks(filter).length;
        ms[i] = performance.now() - begin;
      }
      return { ...timesOf(ms), rows };
    },
    foldTasks: async ({ folder, count }) => {
      const begin = performance.now();
      const redex = new addon.Redex(folder);
      const opened = await addon.TasksAdapter.open(redex, ORIGIN, true);
      await opened.waitForSeq(BigInt(count - 1));
      return { seconds: (performance.now() - begin) / 1e3 };
    },
  };
}

if (import.meta.main) await serveLines(createHandlers());
