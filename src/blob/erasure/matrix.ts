/**
 * The matrix of a Reed-Solomon code (`dataforts.md` 6): the Vandermonde matrix, multiplied so that its top
 * is the identity. Row r of it times the data chunks is chunk r of a stripe.
 */
import { galoisInverse, galoisMultiply, galoisPower } from "../../core/crypto/mod.ts";

/** How many chunks of a stripe hold data, and how many parity. */
export interface StripeCode {
  readonly data: number;
  readonly parity: number;
}

/** The code that is used when nothing else is asked for. */
export const STRIPE_CODE: StripeCode = { data: 10, parity: 4 };

/** Data and parity together: the rows of the matrix are numbered by one byte. */
export const STRIPE_CHUNKS_MAX = 255;

type Row = Uint8Array<ArrayBuffer>;

/**
 * Checks a code.
 *
 * @throws RangeError when it has no data, no parity, or more than 255 chunks.
 */
export function checkStripeCode({ data, parity }: StripeCode): void {
  const isCount = Number.isInteger(data) && Number.isInteger(parity) && data >= 1 && parity >= 1;
  if (isCount && data + parity <= STRIPE_CHUNKS_MAX) return;
  throw new RangeError(
    `Cannot make stripes of ${data} data and ${parity} parity chunks: must be at least 1 of each ` +
      `and ${STRIPE_CHUNKS_MAX} in all`,
  );
}

/**
 * Rows of the parity chunks: row `p`, column `d` is what data chunk `d` is multiplied with.
 *
 * @throws RangeError as {@linkcode checkStripeCode}.
 *
 * @example
 * ```ts
 * import { parityRows } from "./matrix.ts";
 * console.assert(parityRows({ data: 2, parity: 1 })[0]?.join() === "3,2");
 * ```
 */
export function parityRows(code: StripeCode): Row[] {
  checkStripeCode(code);
  const { data, parity } = code;
  const top = invertMatrix(Array.from({ length: data }, (_, row) => powerRow(row, data)));
  return Array.from({ length: parity }, (_, row) => multiplyRow(powerRow(data + row, data), top));
}

/**
 * Rows that give chunks of a stripe from others of it.
 *
 * @param present Numbers of exactly `data` chunks that are there; data first, then parity.
 * @param wanted Numbers of the chunks to make.
 * @returns For each wanted chunk what each present one is multiplied with.
 */
export function restoringRows(
  code: StripeCode,
  present: readonly number[],
  wanted: readonly number[],
): Row[] {
  const { data } = code;
  const parity = parityRows(code);
  const rowOf = (index: number): Row => {
    if (index >= data) return parity[index - data] ?? new Uint8Array(data);
    const unit = new Uint8Array(data);
    unit[index] = 1;
    return unit;
  };
  const inverse = invertMatrix(present.map(rowOf));
  return wanted.map((index) => multiplyRow(rowOf(index), inverse));
}

function powerRow(base: number, length: number): Row {
  return Uint8Array.from({ length }, (_, exponent) => galoisPower(base, exponent));
}

/** A row times a square matrix. */
function multiplyRow(row: Row, matrix: readonly Row[]): Row {
  const product = new Uint8Array(row.length);
  for (const [i, factor] of row.entries()) addMultiple(product, matrix[i], factor);
  return product;
}

/** By Gauss and Jordan; any rows of our matrix are independent, so there always is a pivot. */
function invertMatrix(matrix: readonly Row[]): Row[] {
  const size = matrix.length;
  const left = matrix.map((row) => row.slice());
  const right = matrix.map((_, i) => {
    const unit = new Uint8Array(size);
    unit[i] = 1;
    return unit;
  });
  for (let column = 0; column < size; column++) {
    const pivot = left.findIndex((row, i) => i >= column && row[column] !== 0);
    if (pivot < 0) throw new RangeError("Cannot restore chunks: a chunk is given twice");
    for (const side of [left, right]) swap(side, column, pivot);
    const scale = galoisInverse(left[column]?.[column] ?? 0);
    for (const side of [left, right]) scaleRow(side[column], scale);
    for (let i = 0; i < size; i++) {
      const factor = i === column ? 0 : left[i]?.[column] ?? 0;
      if (factor === 0) continue;
      for (const side of [left, right]) addMultiple(side[i], side[column], factor);
    }
  }
  return right;
}

function swap(rows: Row[], a: number, b: number): void {
  const [first, second] = [rows[a], rows[b]];
  if (first === undefined || second === undefined) return;
  rows[a] = second;
  rows[b] = first;
}

function scaleRow(row: Row | undefined, factor: number): void {
  row?.forEach((value, i) => row[i] = galoisMultiply(value, factor));
}

/** Adds `factor` times `source` to `target`. */
function addMultiple(target: Row | undefined, source: Row | undefined, factor: number): void {
  if (target === undefined || factor === 0) return;
  source?.forEach((value, i) => target[i] = (target[i] ?? 0) ^ galoisMultiply(value, factor));
}
