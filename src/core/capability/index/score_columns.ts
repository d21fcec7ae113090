/**
 * Scores of all entries under a few sets of weights, kept up to date (`capabilities.md` 8, "best node").
 *
 * Whoever asks for the best node asks again with the same weights.
 */
import type { BestWeights } from "./best.ts";
import { SCORE_COLUMNS_MAX } from "./limits.ts";
import type { RowTable } from "./row_table.ts";

const MEMORY_FULL_GB = 256;
const VRAM_FULL_GB = 80;
const SPEED_FULL = 1000;

/** Scores by slot; what stands in free slots is not above any score. */
export interface ScoreColumn {
  readonly weights: Required<BestWeights>;
  scores: Float32Array;
  /** The highest score of each 32 slots, which share a word of bits. */
  peaks: Float32Array;
}

/** A column per set of weights, the ones asked for last. */
export class ScoreColumns {
  readonly #columns: ScoreColumn[] = [];

  /** The column of some weights. */
  of(weights: BestWeights, table: RowTable): ScoreColumn {
    const wanted = clampWeights(weights);
    const at = this.#columns.findIndex((column) => isSame(column.weights, wanted));
    const [column = createColumn(wanted)] = at === -1 ? [] : this.#columns.splice(at, 1);
    this.#columns.unshift(column);
    if (this.#columns.length > SCORE_COLUMNS_MAX) this.#columns.pop();
    if (column.scores.length < table.capacity) fill(column, table);
    return column;
  }

  /** Notes that an entry came, changed or went. */
  update(slot: number, table: RowTable): void {
    for (const column of this.#columns) {
      if (slot >= column.scores.length) continue;
      column.scores[slot] = scoreOf(slot, column.weights, table);
      setPeak(column, slot >>> 5);
    }
  }
}

function createColumn(weights: Required<BestWeights>): ScoreColumn {
  return { weights, scores: new Float32Array(0), peaks: new Float32Array(0) };
}

function fill(column: ScoreColumn, table: RowTable): void {
  column.scores = new Float32Array(table.capacity);
  column.peaks = new Float32Array((table.capacity + 31) >>> 5);
  for (let slot = 0; slot < table.capacity; slot++) {
    column.scores[slot] = scoreOf(slot, column.weights, table);
  }
  for (let word = 0; word < column.peaks.length; word++) setPeak(column, word);
}

function setPeak({ scores, peaks }: ScoreColumn, word: number): void {
  let peak = 0;
  for (let slot = word << 5; slot < (word + 1) << 5; slot++) {
    peak = Math.max(peak, scores[slot] ?? 0);
  }
  peaks[word] = peak;
}

function scoreOf(slot: number, weights: Required<BestWeights>, table: RowTable): number {
  return table.rows[slot] === undefined ? 0 : score(slot, weights, table);
}

/** In single precision, as the core does it: what is equal there is equal here. */
function score(slot: number, weights: Required<BestWeights>, table: RowTable): number {
  const part = (weight: number, value: number, full: number) =>
    Math.fround(weight * Math.min(Math.fround(value / full), 1));
  let sum = Math.fround(1 + part(weights.memory, table.memoryGb[slot] ?? 0, MEMORY_FULL_GB));
  sum = Math.fround(sum + part(weights.vram, table.vramGb[slot] ?? 0, VRAM_FULL_GB));
  sum = Math.fround(sum + part(weights.speed, table.tokensPerSecond[slot] ?? 0, SPEED_FULL));
  return Math.fround(sum + part(weights.loaded, table.loadedShare[slot] ?? 0, 1));
}

function clampWeights({ memory, vram, speed, loaded }: BestWeights): Required<BestWeights> {
  return { memory: clamp(memory), vram: clamp(vram), speed: clamp(speed), loaded: clamp(loaded) };
}

/** What is no number counts nothing. */
function clamp(weight = 0): number {
  return weight > 0 ? Math.fround(Math.min(weight, 1)) : 0;
}

function isSame(left: Required<BestWeights>, right: Required<BestWeights>): boolean {
  return left.memory === right.memory && left.vram === right.vram && left.speed === right.speed &&
    left.loaded === right.loaded;
}
