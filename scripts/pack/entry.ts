/** The code that runs first in a packed executable, for each machine. */
import { ENTRY_AARCH64 } from "./entry_aarch64.ts";
import { ENTRY_X86_64 } from "./entry_x86_64.ts";

/** Code for one machine; its last 32 bytes are four numbers of 64 bits that packing fills in. */
export interface PackEntry {
  readonly arch: "x86_64" | "aarch64";
  /** `e_machine` of ELF. */
  readonly machine: number;
  readonly code: Uint8Array;
}

/** All machines. */
export const PACK_ENTRIES: readonly PackEntry[] = [ENTRY_X86_64, ENTRY_AARCH64];

/** The numbers, counted from the end of the code. */
export const ENTRY_FIELDS = {
  /** The runtime's own entry, relative to the segment. */
  entryOffset: -32,
  /** The program, relative to the segment. */
  programOffset: -24,
  programBytes: -16,
  argumentCount: -8,
} as const;
