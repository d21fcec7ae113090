/** Folds over a log of the test's own. */
import { createLog } from "../../../src/observe/mod.ts";
import {
  type CortexAdapter,
  CortexMetrics,
  encodeEvent,
  openCortex,
  type OpenCortexOptions,
} from "../../../src/state/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { FakeRedex } from "./fake_redex.ts";
import { ADD, amount, SUM_MODEL, type Sums } from "./sum_model.ts";

export const ORIGIN = 0x42n;

/** A log in memory, a clock, and what was written to the operator's log. */
export function createBench() {
  const redex = new FakeRedex();
  const clock = new ManualClock();
  const metrics = new CortexMetrics();
  const lines: string[] = [];
  const log = createLog({ level: "debug", format: "text", write: (line) => lines.push(line) });
  const file = redex.file(SUM_MODEL.channel);
  return {
    redex,
    clock,
    metrics,
    lines,
    file,
    open: (options: Partial<OpenCortexOptions> = {}): Promise<CortexAdapter<Sums>> =>
      openCortex({ redex, clock, metrics, log }, SUM_MODEL, { origin: ORIGIN, ...options }),
    /** Appends as another writer does; the sequence number. */
    write: (name: string, value: number, origin = 7n, appSeq = 0n): bigint =>
      file.append(encodeEvent({ dispatch: ADD, flags: 0, origin, appSeq }, amount(name, value))),
    writeRaw: (dispatch: number, tail: Uint8Array, origin = 7n, appSeq = 0n): bigint =>
      file.append(encodeEvent({ dispatch, flags: 0, origin, appSeq }, tail)),
  };
}

/** Lets promises that are ready settle. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
