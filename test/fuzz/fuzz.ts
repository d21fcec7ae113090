/**
 * Runs a decoder over seeded hostile inputs. A decoder must not throw, must give back what it accepted
 * when asked to encode it, and must not make more out of an input than the input warrants.
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { equalBytes } from "../../src/base/mod.ts";
import { FuzzRandom } from "./fuzz_random.ts";
import { drawInput } from "./mutate.ts";

/** Something that takes bytes from outside. */
export interface FuzzTarget {
  /** Valid inputs to start from. */
  readonly corpus: readonly Uint8Array[];
  /**
   * Feeds one input, whose bytes are the target's; throws when a promise is broken.
   *
   * @param random For choices that belong to the input, so that they replay with it.
   * @returns What was accepted; it is weighed against the input.
   */
  readonly feed: (bytes: Uint8Array<ArrayBuffer>, random: FuzzRandom) => unknown;
  /** Bytes that may be made of one byte of input, and of an input of none; 16 and 512 when left out. */
  readonly growth?: { readonly factor: number; readonly base: number };
  /** Called now and then, between two inputs: time passes, sums are checked. */
  readonly settle?: () => void | Promise<void>;
  readonly stop?: () => void;
}

/** Makes a target. */
export type CreateTarget = () => FuzzTarget | Promise<FuzzTarget>;

/** Options of {@linkcode runFuzz}. */
export interface RunFuzzOptions {
  readonly name: string;
  readonly seed: number;
  readonly count: number;
  /** The one input to run; needs no other before it unless the target remembers. */
  readonly at?: number;
}

/** What a run saw. */
export interface FuzzReport {
  readonly inputs: number;
  readonly accepted: number;
  /** Heap at the end, against after the first tenth, in bytes. */
  readonly heapGrowth: number;
}

const SETTLE_EVERY = 256;
const GROWTH = { factor: 16, base: 512 };
/** Caches and compiled code; inputs are hundreds of times as much. */
const HEAP_GROWTH_MAX = 96 * 1024 * 1024;

/**
 * Feeds `count` inputs.
 *
 * @throws Error naming seed and input when a promise is broken.
 */
export async function runFuzz(create: CreateTarget, options: RunFuzzOptions): Promise<FuzzReport> {
  const { name, seed, count, at } = options;
  const target = await create();
  const random = new FuzzRandom();
  const { factor, base } = target.growth ?? GROWTH;
  const first = at ?? 0;
  const end = at === undefined ? count : at + 1;
  let accepted = 0;
  let heapBefore = 0;
  try {
    for (let index = first; index < end; index++) {
      random.reset(seed, index);
      const input = drawInput(target.corpus, random);
      const shown = input.length <= 512 ? input.slice() : undefined;
      try {
        const result = target.feed(input, random);
        if (result !== undefined) {
          accepted += 1;
          const weight = weigh(result);
          if (weight > base + factor * input.length) {
            throw new Error(`${input.length} bytes became ${weight}`);
          }
        }
        if (index % SETTLE_EVERY === 0) await target.settle?.();
      } catch (error) {
        const where = `NET_FUZZ_TARGET=${name} NET_FUZZ_SEED=${seed} NET_FUZZ_AT=${index}`;
        const hex = shown?.toHex() ?? `${input.length} bytes`;
        throw new Error(`Cannot survive input ${hex}: ${where}`, { cause: error });
      }
      if (index === Math.floor(count / 10)) heapBefore = measureHeap();
    }
    await target.settle?.();
  } finally {
    target.stop?.();
  }
  const heapGrowth = measureHeap() - heapBefore;
  if (at === undefined && heapGrowth > HEAP_GROWTH_MAX) {
    throw new Error(`NET_FUZZ_TARGET=${name} NET_FUZZ_SEED=${seed}: ${heapGrowth} bytes were kept`);
  }
  return { inputs: end - first, accepted, heapGrowth };
}

/** Bytes of the heap once garbage is gone: how much of that there is says nothing. */
function measureHeap(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc()");
  return Deno.memoryUsage().heapUsed;
}

/** Throws unless two byte arrays are equal; much faster than a deep comparison. */
export function assertSame(actual: Uint8Array, expected: Uint8Array): void {
  if (equalBytes(actual, expected)) return;
  throw new Error(`What was accepted encodes as ${actual.toHex()}, not as ${expected.toHex()}`);
}

/** Bytes that a value holds, roughly: its arrays, texts and fields. */
export function weigh(value: unknown): number {
  if (typeof value === "string") return 2 * value.length;
  if (typeof value !== "object" || value === null) return 8;
  if (ArrayBuffer.isView(value)) return 16 + value.byteLength;
  let bytes = 16;
  for (const part of value instanceof Map ? [...value] : Object.values(value)) bytes += weigh(part);
  return bytes;
}
