/** What tells a repeat of an event: `<nonce hex>:<shard>:<sequence_start>:<i>` (`storage.md` 2.6). */
import type { Batch } from "../../types.ts";

/** Gives the id of the batch's event number `index`. */
export function dedupIds(
  { producerNonce, shard, sequenceStart }: Pick<Batch, "producerNonce" | "shard" | "sequenceStart">,
): (index: number) => string {
  const prefix = `${producerNonce.toString(16)}:${shard}:${sequenceStart}:`;
  return (index) => prefix + index;
}
