/** A log for tests: a clock that stands still, counters to look at, and small helpers. */
import assert from "node:assert/strict";
import {
  openRedex,
  type Redex,
  RedexError,
  type RedexErrorKind,
  type RedexOptions,
  type RedexTail,
  type TailItem,
} from "../../../src/log/mod.ts";
import { createMetricRegistry, type Log, silentLog } from "../../../src/observe/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { SimDisk } from "../../sim/sim_disk.ts";

/** Where a channel's records are kept; what is true of channels is true of each. */
export type StoreKind = "memory" | "disk";
export const STORE_KINDS: readonly StoreKind[] = ["memory", "disk"];

/** A log, and what a test sees of it. */
export interface RedexKit extends AsyncDisposable {
  readonly redex: Redex;
  readonly clock: ManualClock;
  readonly disk: SimDisk;
  /** Errors that were logged. */
  readonly errors: string[];
  /** A counter of the metrics, without `net_log_`. */
  count(name: string): number;
}

/** Folder of the log on the simulated disk. */
export const FOLDER = "data/log";

/** Options of {@linkcode createRedexKit}. */
export interface RedexKitOptions extends RedexOptions {
  /** A disk that lives on when the log is closed, so that another opens the same channels. */
  readonly disk?: SimDisk;
}

/** A log of one kind. */
export function createKitOf(kind: StoreKind, options: RedexKitOptions = {}): RedexKit {
  return kind === "memory"
    ? createRedexKit(options)
    : createDiskKit({ ...options, defaults: { isPersistent: true, ...options.defaults } });
}

/** A log that keeps its channels on a simulated disk when asked to. */
export function createDiskKit(options: RedexKitOptions = {}): RedexKit {
  const { disk = new SimDisk() } = options;
  // The data folder of a node is there before its log.
  if (!disk.isCrashed && disk.list("data").length === 0) {
    disk.makeFolder("data");
    disk.syncFolder("");
  }
  return createRedexKit({ folder: FOLDER, ...options, disk });
}

/** A log in memory. */
export function createRedexKit(kitOptions: RedexKitOptions = {}): RedexKit {
  const { disk = new SimDisk(), ...options } = kitOptions;
  const clock = new ManualClock();
  const errors: string[] = [];
  const metrics = createMetricRegistry();
  const log: Log = { ...silentLog, error: (event) => void errors.push(event) };
  const redex = openRedex({ clock, disk, log, metrics }, options);
  return {
    redex,
    clock,
    disk,
    errors,
    count: (name) => metrics.snapshot()[`net_log_${name}`] ?? NaN,
    [Symbol.asyncDispose]: () => redex.close(),
  };
}

/** Lets time pass in small steps, so that what takes many turns of the microtask queue is done in its own time. */
export async function pass({ clock }: RedexKit, ms: number): Promise<void> {
  for (let step = 0; step < ms; step++) await clock.advance(1);
  for (let turn = 0; turn < 5; turn++) await clock.advance(0);
}

/** Bytes of a text. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** So many payloads, each its own number as text. */
export function numbered(count: number, first = 0): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => bytes(String(first + i)));
}

/** Text of bytes. */
export function text(payload: Uint8Array | undefined): string | undefined {
  return payload && new TextDecoder().decode(payload);
}

/** Items as short texts: `3=c` for an event, `lag 1-2 retention` for a lag. */
export function described(items: readonly TailItem[] | undefined): string[] | undefined {
  return items?.map((item) =>
    item.kind === "event"
      ? `${item.seq}=${text(item.payload)}`
      : `lag ${item.from}-${item.to} ${item.reason}`
  );
}

/** All there is without waiting. */
export function drained(tail: RedexTail): string[] {
  const items: TailItem[] = [];
  for (let more = tail.takeNow(64); more.length > 0; more = tail.takeNow(64)) items.push(...more);
  return described(items) ?? [];
}

/** Checks that an error is one of the log with that kind. */
export function isRedexError(kind: RedexErrorKind): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof RedexError, `not an error of the log: ${error}`);
    assert.equal(error.kind, kind, error.message);
    return true;
  };
}

/** A test for channels of every kind. */
export function testKinds(name: string, run: (kind: StoreKind) => Promise<void>): void {
  for (const kind of STORE_KINDS) Deno.test(`${kind}: ${name}`, () => run(kind));
}
