/**
 * What placement asks about candidates, by their place in whatever holds them: an index answers from its
 * columns without making an object per candidate, a list of sets answers here.
 */
import type { CapabilitySet } from "../capability_set.ts";
import type { ValueTest } from "../predicate/clause.ts";
import { numberOfText } from "../predicate/number_text.ts";
import type { Candidate } from "../query/candidate.ts";
import { readTagsBehind } from "../tags/axis_tags.ts";
import type { TagKey } from "../tags/tag.ts";
import {
  createKeyTest,
  createTagTest,
  createValueTest,
  type TagsTest,
} from "../tags/tag_lookup.ts";

/** A question to the candidate in a place. */
export type SlotTest = (slot: number) => boolean;

/** A number of the candidate in a place. */
export type NumberOf = (slot: number) => number;

/** Candidates, asked by place. Each method prepares a question that is then asked of many. */
export interface PlacementSource {
  /** The node in a place. */
  nodeIdOf(slot: number): bigint;
  /** Is there a tag of this meaning, whichever separator it is written with? */
  tagTest(tag: string): SlotTest;
  /** Is there a tag that begins like this? */
  tagPrefixTest(prefix: string): SlotTest;
  /** Is there a tag of this key, with a value or without? */
  keyTest(key: TagKey): SlotTest;
  /** Does one of the key's values pass? */
  valueTest(key: TagKey, test: ValueTest): SlotTest;
  /** The greatest number among the key's values; NaN when there is none. */
  numberOf(key: TagKey): NumberOf;
  /**
   * The same numbers as `compute` gives, which are never NaN. A source may keep them while its candidates
   * stay as they are.
   *
   * @param name Whoever asks under the same name computes the same.
   */
  keep(name: string, compute: NumberOf): NumberOf;
}

/** A source of a list; places are those in the list. */
export function createCandidateSource(candidates: readonly Candidate[]): PlacementSource {
  const setOf = (slot: number): CapabilitySet => candidates[slot]?.capabilities ?? NOTHING;
  const asking = (test: TagsTest): SlotTest => (slot) => test(setOf(slot).tags);
  return {
    nodeIdOf: (slot) => candidates[slot]?.nodeId ?? 0n,
    tagTest: (tag) => asking(createTagTest(tag)),
    tagPrefixTest: (prefix) => (slot) => {
      let isFound = false;
      readTagsBehind(setOf(slot).tags, prefix, () => void (isFound = true));
      return isFound;
    },
    keyTest: (key) => asking(createKeyTest(key)),
    valueTest: (key, test) => asking(createValueTest(key, test)),
    numberOf: (key) => {
      let greatest = NaN;
      const collect = createValueTest(key, (value) => {
        const number = numberOfText(value);
        if (!Number.isNaN(number) && !(number <= greatest)) greatest = number;
        return false;
      });
      return (slot) => {
        greatest = NaN;
        collect(setOf(slot).tags);
        return greatest;
      };
    },
    keep: (_name, compute) => compute,
  };
}

const NOTHING: CapabilitySet = { tags: [], metadata: new Map() };
