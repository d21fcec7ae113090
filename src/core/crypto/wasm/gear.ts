/** Loads the module of the rolling hash of content-defined chunking and fills its tables. */
import { createHash } from "node:crypto";
import { GEAR_WASM_BASE64 } from "./gear_wasm.ts";
import { createFixedMemory, instantiateWasm } from "./instantiate.ts";

/** Places of `assembly/gear.as`. */
const ROLLING_OFFSET = 512;
const GEAR_OFFSET = 1024;
const SHIFTED_OFFSET = 3072;
/** Where bytes to scan begin; never 0, which means "no cut". */
export const GEAR_INPUT_OFFSET = 8192;
/** Most bytes of one scan; they and the tables stay in the second-level cache. */
export const GEAR_INPUT_BYTES = 65536;

/** Exports of `assembly/gear.as`; places are offsets in memory. */
interface GearFunctions {
  scan(at: number, end: number, maskLow: number, maskHigh: number): number;
}

/** The function and the places it works on. */
export interface GearModule extends GearFunctions {
  /** The hash so far: low half, high half. */
  readonly rolling: Uint32Array<ArrayBuffer>;
  /** Where bytes are copied to. */
  readonly input: Uint8Array<ArrayBuffer>;
}

/**
 * The words of the rolling hash: the first 8 bytes, big-endian, of MD5 over 64 bytes that all equal the
 * index (`dataforts.md` 4).
 */
export function gearWords(): BigUint64Array<ArrayBuffer> {
  return BigUint64Array.from({ length: 256 }, (_, byte) => {
    const digest = createHash("md5").update(new Uint8Array(64).fill(byte)).digest();
    return digest.readBigUInt64BE(0);
  });
}

/** Instantiates the module with a memory of its own. */
export function instantiateGear(): GearModule {
  const { memory, bytes } = createFixedMemory(GEAR_INPUT_OFFSET + GEAR_INPUT_BYTES);
  const { scan } = instantiateWasm<GearFunctions>(GEAR_WASM_BASE64, memory);
  const view = new DataView(bytes.buffer);
  for (const [byte, word] of gearWords().entries()) {
    view.setBigUint64(GEAR_OFFSET + 8 * byte, word, true);
    view.setBigUint64(SHIFTED_OFFSET + 8 * byte, word << 1n, true);
  }
  const input = bytes.subarray(GEAR_INPUT_OFFSET, GEAR_INPUT_OFFSET + GEAR_INPUT_BYTES);
  return { input, rolling: new Uint32Array(bytes.buffer, ROLLING_OFFSET, 2), scan };
}
