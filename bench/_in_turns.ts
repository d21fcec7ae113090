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

/** Nanoseconds per call of each candidate, over the rounds. */
export function timeInTurns<Name extends string>(
  candidates: Readonly<Record<Name, Candidate>>,
  options: TimeInTurnsOptions = {},
): Record<Name, Summary> {
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
  return Object.fromEntries(
    names.map((name) => [name, summarize(samples.get(name) ?? [])]),
  ) as Record<Name, Summary>;
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
