/**
 * Arithmetic in the field of 256 elements with the polynomial 0x11d (`dataforts.md` 6).
 *
 * Single products are by logarithm tables; sums of products over many bytes are WebAssembly.
 */
import {
  GALOIS_BLOCK_BYTES,
  GALOIS_OUTPUTS_MAX,
  type GaloisModule,
  instantiateGalois,
} from "./wasm/galois.ts";

const POLYNOMIAL = 0x11d;
const ORDER = 255;

/** The product of two elements. */
export function galoisMultiply(a: number, b: number): number {
  if (a === 0 || b === 0) return 0;
  const { logs, powers } = sharedTables();
  return powers[(logs[a] ?? 0) + (logs[b] ?? 0)] ?? 0;
}

/**
 * The element whose product with `a` is 1.
 *
 * @throws RangeError for 0, which has none.
 */
export function galoisInverse(a: number): number {
  if (a === 0) throw new RangeError("Cannot invert 0 in the field of 256 elements");
  const { logs, powers } = sharedTables();
  return powers[ORDER - (logs[a] ?? 0)] ?? 0;
}

/** `a` multiplied with itself `exponent` times; 1 for exponent 0, whatever `a` is. */
export function galoisPower(a: number, exponent: number): number {
  if (exponent === 0) return 1;
  if (a === 0) return 0;
  const { logs, powers } = sharedTables();
  return powers[((logs[a] ?? 0) * exponent) % ORDER] ?? 0;
}

/**
 * Adds `constants[i]` times `input` to `outputs[i]`, byte by byte; adding is exclusive or.
 *
 * @param outputs Each at least as long as `input`; what is behind that length stays.
 */
export function galoisAddProducts(
  input: Uint8Array,
  constants: Uint8Array,
  outputs: readonly Uint8Array[],
): void {
  const wasm = sharedModule();
  for (let first = 0; first < outputs.length; first += GALOIS_OUTPUTS_MAX) {
    const group = outputs.slice(first, first + GALOIS_OUTPUTS_MAX);
    wasm.constants.set(constants.subarray(first, first + group.length));
    for (let at = 0; at < input.length; at += GALOIS_BLOCK_BYTES) {
      const end = Math.min(at + GALOIS_BLOCK_BYTES, input.length);
      wasm.input.set(input.subarray(at, end));
      for (const [i, output] of group.entries()) wasm.outputs[i]?.set(output.subarray(at, end));
      wasm.addProducts(end - at, group.length);
      for (const [i, output] of group.entries()) {
        const block = wasm.outputs[i];
        if (block === undefined) continue;
        output.set(end - at === GALOIS_BLOCK_BYTES ? block : block.subarray(0, end - at), at);
      }
    }
  }
}

interface Tables {
  readonly logs: Uint8Array;
  /** Powers of the generator 2, twice around, so that sums of two logarithms need no remainder. */
  readonly powers: Uint8Array;
}

let tables: Tables | undefined;
let shared: GaloisModule | undefined;

function sharedTables(): Tables {
  return tables ??= makeTables();
}

function sharedModule(): GaloisModule {
  return shared ??= instantiateGalois(galoisMultiply);
}

function makeTables(): Tables {
  const logs = new Uint8Array(256);
  const powers = new Uint8Array(2 * ORDER + 1);
  let power = 1;
  for (let exponent = 0; exponent < ORDER; exponent++) {
    powers[exponent] = power;
    powers[exponent + ORDER] = power;
    logs[power] = exponent;
    power <<= 1;
    if (power > 255) power ^= POLYNOMIAL;
  }
  powers[2 * ORDER] = 1;
  return { logs, powers };
}
