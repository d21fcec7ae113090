/** Times candidates in turns, so that whatever else the machine does hits all of them. */
import { summarize, type Summary } from "./_summary.ts";

/** Something to time; what it returns keeps the engine from leaving it out. */
export type Candidate = () => number;

/** Options of {@linkcode timeInTurns}. */
export interface TimeInTurnsOptions {
  readonly rounds?: number;
  /** How long one candidate runs in one round, in milliseconds. */
  readonly sliceMs?: number;
}

let kept = 0;

/** What one candidate took, in nanoseconds per call. */
export interface Timing extends Summary {
  /** By round, in order: rounds of candidates that were timed in turns may be compared one by one. */
  readonly rounds: readonly number[];
}

/** What `left` takes as a multiple of what `right` takes, the median over the rounds. */
export function ratioOf(left: Timing, right: Timing): number {
  return summarize(left.rounds.map((each, round) => each / (right.rounds[round] ?? NaN))).median;
}

/** Times each candidate over the rounds. */
export function timeInTurns<Name extends string>(
  candidates: Readonly<Record<Name, Candidate>>,
  options: TimeInTurnsOptions = {},
): Record<Name, Timing> {
  const { rounds = 9, sliceMs = 20 } = options;
  const names = Object.keys(candidates) as Name[];
  const samples = new Map<Name, number[]>(names.map((name) => [name, []]));
  // The first rounds only warm up.
  for (let round = -3; round < rounds; round++) {
    for (const name of names) {
      const sample = time(candidates[name], sliceMs);
      if (round >= 0) samples.get(name)?.push(sample);
    }
  }
  const timings = new Map<string, Timing>();
  for (const [name, list] of samples) timings.set(name, { ...summarize(list), rounds: list });
  return Object.fromEntries(timings) as Record<Name, Timing>;
}

function time(run: Candidate, sliceMs: number): number {
  const start = performance.now();
  let count = 0;
  let batch = 1;
  for (;;) {
    for (let i = 0; i < batch; i++) kept += run();
    count += batch;
    const elapsed = performance.now() - start;
    if (elapsed >= sliceMs) return kept === -1 ? NaN : elapsed * 1e6 / count;
    if (elapsed < sliceMs / 8) batch *= 2;
  }
}
