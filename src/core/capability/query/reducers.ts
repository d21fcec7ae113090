/** What nodes can be reduced to (`capabilities.md` 10). A reducer is used once. */
import { compareUtf8 } from "../capability_set.ts";
import { numberOfText } from "../predicate/number_text.ts";
import type { TagKey } from "../tags/tag.ts";
import { createValueTest } from "../tags/tag_lookup.ts";
import type { Candidate } from "./candidate.ts";

/** Takes nodes one after the other. */
export interface Reducer<Result> {
  observe(candidate: Candidate): void;
  result(): Result;
}

/** How many they are. */
export function countCandidates(): Reducer<number> {
  let count = 0;
  return { observe: () => void (count += 1), result: () => count };
}

/** The distinct values of a key, ascending by UTF-8 bytes. */
export function uniqueAxisValues(key: TagKey): Reducer<readonly string[]> {
  const values = new Set<string>();
  const collect = createValueTest(key, (value) => {
    values.add(value);
    return false;
  });
  return {
    observe: ({ capabilities }) => void collect(capabilities.tags),
    result: () => [...values].sort(compareUtf8),
  };
}

/** The greatest finite number under a key of metadata; `undefined` when there is none. */
export function maxNumericMetadata(key: string): Reducer<number | undefined> {
  let max: number | undefined;
  return {
    observe: ({ capabilities }) => {
      const value = numberOfText(capabilities.metadata.get(key) ?? "");
      if (Number.isFinite(value)) max = Math.max(max ?? -Infinity, value);
    },
    result: () => max,
  };
}
