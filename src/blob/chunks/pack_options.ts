/** What a store of packs is told: where it is, what is whole, and how large things may be. */
import type { Disk } from "../../base/mod.ts";

/** Sizes that packs go by. */
export interface PackLimits {
  /** Records gather up to here before they are written: some hundred of them with one call. */
  readonly gatherBytes: number;
  /** A pack smaller than this is not worth giving up while anything in it counts. */
  readonly compactBytesMin: number;
  /** A pack this large is full; what it costs to write its live half anew is bounded by it. */
  readonly packBytesMax: number;
}

const MIB = 1024 * 1024;
/** What they are when left out. */
export const PACK_LIMITS: PackLimits = {
  gatherBytes: MIB,
  compactBytesMin: MIB,
  packBytesMax: 64 * MIB,
};

/** Options of {@linkcode PackStore}. */
export interface PackStoreOptions {
  readonly disk: Disk;
  readonly folder: string;
  /** File of the index; `:memory:` where it is made anew with every start. */
  readonly indexPath: string;
  /** True when a record is what its hash says. */
  readonly isWhole: (hash: Uint8Array, stored: Uint8Array, isSealed: boolean) => boolean;
  /** True for a chunk that is safe outside; a copy there that is not is given up for the one that is found here. */
  readonly isElsewhere?: (hash: Uint8Array) => boolean;
  /** Told of chunks that were found damaged, and are forgotten. */
  readonly onDamaged?: (hash: Uint8Array) => void;
  /** Other sizes, for tests. */
  readonly limits?: Partial<PackLimits>;
}
