/** Databases over logs in memory. */
import * as v from "valibot";
import { openRedex } from "../../../src/log/mod.ts";
import { defineCollection } from "../../../src/state/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

export const ORIGIN = 0x42n;

/** A collection with a field of each kind that tests ask for. */
export const notes = defineCollection({
  name: "notes",
  schema: v.object({
    text: v.string(),
    stars: v.optional(v.number(), 0),
    tags: v.optional(v.array(v.string()), []),
    at: v.optional(v.bigint()),
  }),
});

/** A log in memory and a clock. */
export function createBench() {
  const clock = new ManualClock();
  const redex = openRedex({ clock });
  return { redex, clock, deps: { redex, clock } };
}

/** The next results of a watch. */
export async function take<T>(source: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  for await (const item of source) {
    taken.push(item);
    if (taken.length === count) break;
  }
  return taken;
}
