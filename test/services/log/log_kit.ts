/** A log service in memory, and what its readers told. */
import { utf8 } from "../../../src/base/mod.ts";
import type { TailItem } from "../../../src/log/mod.ts";
import { createMetricRegistry, silentLog } from "../../../src/observe/mod.ts";
import {
  type LogDefaults,
  type LogMemory,
  type LogRules,
  LogService,
} from "../../../src/services/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

/** Rules in memory. */
export function memoryOfRules(): LogMemory & { readonly rules: Map<string, LogRules> } {
  const rules = new Map<string, LogRules>();
  return {
    rules,
    read: (channel) => Promise.resolve(rules.get(channel)),
    write: (channel, given) => {
      if (given === undefined) rules.delete(channel);
      else rules.set(channel, given);
      return Promise.resolve();
    },
  };
}

/** Options of {@linkcode startLogs}. */
export interface KitOptions {
  readonly folder?: string;
  readonly guard?: (channel: string) => void;
  readonly defaults?: Partial<LogDefaults>;
}

/** A service that runs, with its clock. */
export async function startLogs(options: KitOptions = {}) {
  const clock = new ManualClock();
  const metrics = createMetricRegistry();
  const memory = memoryOfRules();
  const logs = new LogService({
    clock,
    log: silentLog,
    metrics,
    redexFolder: options.folder,
    memory,
    origin: 0xabn,
    guard: options.guard,
  }, {
    fsync: { kind: "never" },
    retention: {},
    sweepMs: 0,
    segmentBytesMax: undefined,
    ...options.defaults,
  });
  await logs.start();
  return {
    logs,
    clock,
    metrics,
    memory,
    append: (channel: string, ...texts: readonly string[]) =>
      logs.append(channel, texts.map((text) => utf8(text))),
    [Symbol.asyncDispose]: () => logs.stop(),
  };
}

/** Items as short text: `3:hello`, `lag 0-2 retention`. */
export function shown(items: readonly TailItem[] | undefined): string[] {
  return (items ?? []).map((item) =>
    item.kind === "event"
      ? `${item.seq}:${new TextDecoder().decode(item.payload)}`
      : `lag ${item.from}-${item.to} ${item.reason}`
  );
}
