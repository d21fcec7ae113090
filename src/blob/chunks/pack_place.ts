/** Where packed chunks are, and what packs have of them. */
import { SEAL_BYTES } from "./sealing.ts";

/** Where a packed chunk is. */
export interface PackPlace {
  readonly pack: number;
  /** Place of its header. */
  readonly at: number;
  /** Bytes behind the header. */
  readonly storedBytes: number;
  readonly isSealed: boolean;
}

/** What is known of a pack. */
export interface PackTotals {
  /** Bytes from the start that are on the device and in the index. */
  syncedBytes: number;
  /** Bytes of the records that count, with their headers. */
  liveFileBytes: number;
  /** Bytes of their chunks. */
  liveBytes: number;
}

/** Bytes of the chunk itself. */
export function chunkBytesOf(
  { storedBytes, isSealed }: Pick<PackPlace, "storedBytes" | "isSealed">,
) {
  return storedBytes - (isSealed ? SEAL_BYTES : 0);
}
