/** Our log, bus and tasks, told what to do by JSON lines. */
import { systemClock, systemDisk } from "../src/base/mod.ts";
import { createEventBus, createNoopAdapter, openRedex, type RedexFile } from "../src/log/mod.ts";
import { openTasks, type TaskCollection } from "../src/state/mod.ts";
import { serveLines } from "../test/interop/serve_lines.ts";
import { MAKING_HANDLERS } from "./_log_making.ts";
import {
  jsonEvents,
  type LogHandlers,
  rateOf,
  TASK_QUESTIONS,
  taskTime,
  taskTitle,
  timesOf,
} from "./_log_operations.ts";

const ORIGIN = 1n;
const DEPS = { clock: systemClock, disk: systemDisk };

/**
 * A node has logs open all the time. Without one, the way that small writes take is made anew for each round, and
 * the engine compiles code for one that is gone.
 */
let isWarm = false;

async function keepOneOpen(): Promise<void> {
  if (isWarm) return;
  isWarm = true;
  const folder = await Deno.makeTempDir({ prefix: "net-bench-log-" });
  const file = await openRedex(DEPS, { folder }).open("bench/open", { isPersistent: true });
  for (let i = 0; i < 1_000; i++) file.append(new Uint8Array(64));
  await file.sync();
  // Nobody reads it; what is open stays so without a name.
  await Deno.remove(folder, { recursive: true });
}

async function withFile<Value>(
  folder: string,
  use: (file: RedexFile) => Value | Promise<Value>,
): Promise<Value> {
  await keepOneOpen();
  await using redex = openRedex(DEPS, { folder });
  return await use(await redex.open("bench/log", { isPersistent: true }));
}

function createHandlers(): LogHandlers {
  let tasks: TaskCollection | undefined;
  return {
    appendBatches: ({ folder, events, perBatch, eventBytes }) =>
      withFile(folder, (file) => {
        const batch = Array.from(
          { length: perBatch },
          (_, i) => new Uint8Array(eventBytes).fill(i),
        );
        return rateOf(events, () => {
          for (let done = 0; done < events; done += perBatch) file.appendBatch(batch);
        });
      }),
    appendEach: ({ folder, events, eventBytes }) =>
      withFile(folder, (file) => {
        const payload = new Uint8Array(eventBytes).fill(7);
        return rateOf(events, () => {
          for (let i = 0; i < events; i++) file.append(payload);
        });
      }),
    appendDurable: ({ folder, events, writers, eventBytes }) =>
      withFile(folder, (file) => {
        const payload = [new Uint8Array(eventBytes).fill(7)];
        const write = async () => {
          for (let i = 0; i < events / writers; i++) await file.appendDurable(payload);
        };
        return rateOf(events, async () => {
          await Promise.all(Array.from({ length: writers }, write));
        });
      }),
    tail: ({ folder, events, eventBytes }) =>
      withFile(folder, async (file) => {
        const payload = new Uint8Array(eventBytes).fill(7);
        using tail = file.tail();
        const ms = new Float64Array(events);
        for (let i = 0; i < events; i++) {
          const next = tail.take(1);
          const begin = performance.now();
          file.append(payload);
          await next;
          ms[i] = performance.now() - begin;
        }
        return timesOf(ms);
      }),
    ingest: async ({ events, perCall, eventBytes }) => {
      const bus = await createEventBus(
        { clock: systemClock, adapter: createNoopAdapter() },
        { shards: 2 },
      );
      const encoder = new TextEncoder();
      const all = jsonEvents(perCall, eventBytes).map((text) => encoder.encode(text));
      const begin = performance.now();
      for (let done = 0; done < events; done += perCall) bus.ingestRawBatch(all);
      const takenMs = performance.now() - begin;
      await bus.flush();
      const handedOnMs = performance.now() - begin;
      const { ingested, dropped, dispatched } = bus.stats();
      if (dispatched !== BigInt(events)) {
        throw new Error(`Ours took ${ingested}, handed on ${dispatched} and dropped ${dropped}`);
      }
      await bus.shutdown();
      return {
        takenPerSecond: 1e3 * events / takenMs,
        handedOnPerSecond: 1e3 * events / handedOnMs,
      };
    },
    makeTasks: async ({ count }) => {
      tasks = await openTasks({ redex: openRedex(DEPS), clock: systemClock }, { origin: ORIGIN });
      for (let id = 0; id < count; id++) {
        tasks.create(BigInt(id), taskTitle(id), taskTime(id));
        if (id % 2 === 1) tasks.complete(BigInt(id), taskTime(id));
      }
      return null;
    },
    findTasks: ({ question, times }) => {
      if (tasks === undefined) throw new Error("There are no tasks");
      const { status, isNewer, title } = TASK_QUESTIONS[question];
      const middle = taskTime(tasks.size >> 1) + 1n;
      const filter = {
        status,
        ...isNewer ? { createdAfterNs: middle } : {},
        ...title === undefined ? {} : { titleContains: title },
      };
      const ms = new Float64Array(times);
      let rows = 0;
      for (let i = 0; i < times; i++) {
        const begin = performance.now();
        rows = tasks.findMany(filter).length;
        ms[i] = performance.now() - begin;
      }
      return { ...timesOf(ms), rows };
    },
    foldTasks: async ({ folder, count }) => {
      const begin = performance.now();
      await using redex = openRedex(DEPS, { folder });
      const opened = await openTasks({ redex, clock: systemClock }, {
        origin: ORIGIN,
        config: { isPersistent: true },
      });
      const seconds = (performance.now() - begin) / 1e3;
      if (opened.size === 0 || count === 0) throw new Error("Nothing was folded");
      await opened.close();
      return { seconds };
    },
  };
}

if (import.meta.main) await serveLines({ ...createHandlers(), ...MAKING_HANDLERS });
