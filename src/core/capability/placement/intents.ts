/**
 * Kinds of work and what a node must have for them (`capabilities.md` 16, `promises.md` 72): an artifact
 * names its kind in the metadata `intent`.
 */
import { createClauseValueTest } from "../predicate/clause.ts";
import type { RequiredCapability } from "../matchers/required_capability.ts";
import { INTENTS_MAX } from "./limits.ts";
import type { PlacementSource, SlotTest } from "./source.ts";

/** What a node must have. */
export type IntentRequirement =
  | RequiredCapability
  /** A tag that begins like this. */
  | { readonly kind: "tag_prefix"; readonly prefix: string }
  | { readonly kind: "any_of"; readonly requirements: readonly IntentRequirement[] };

const gpu: IntentRequirement = { kind: "tag", tag: "hardware.gpu" };

/** What is registered from the start. */
const DEFAULTS: readonly (readonly [intent: string, requirements: readonly IntentRequirement[]])[] =
  [
    ["ml-training", [gpu, atLeast("gpu.vram_gb", 24)]],
    [
      "inference",
      [gpu, {
        kind: "any_of",
        requirements: [
          { kind: "axis_key", key: { axis: "software", key: "model" } },
          // Models are announced in rows, `software.model.0.id` and so on.
          { kind: "tag_prefix", prefix: "software.model." },
        ],
      }],
    ],
    // It lives in memory.
    ["embedding-cache", [atLeast("memory_gb", 16)]],
    ["tool-call", [{ kind: "tag_prefix", prefix: "ai-tool:" }]],
    ["cpu-bound", [atLeast("cpu_cores", 4)]],
    ["sensor-telemetry", [{ kind: "axis_any", axis: "devices" }]],
  ];

/** Kinds of work by name. */
export class IntentRegistry {
  readonly #intents = new Map<string, readonly IntentRequirement[]>();

  /** Names of all. */
  get names(): readonly string[] {
    return [...this.#intents.keys()];
  }

  /**
   * Says what a kind of work needs, in place of what was said before.
   *
   * @throws RangeError when there are 1024 others already.
   */
  register(intent: string, requirements: readonly IntentRequirement[]): void {
    if (this.#intents.size >= INTENTS_MAX && !this.#intents.has(intent)) {
      throw new RangeError(
        `Cannot register intent "${intent}": there are ${INTENTS_MAX} others, which is the most`,
      );
    }
    this.#intents.set(intent, requirements);
  }

  /** What a kind of work needs; `undefined` when nobody said. */
  find(intent: string): readonly IntentRequirement[] | undefined {
    return this.#intents.get(intent);
  }
}

/**
 * A registry with the six kinds that every node knows: ml-training, inference, embedding-cache, tool-call,
 * cpu-bound, sensor-telemetry.
 *
 * @example
 * ```ts
 * import { createIntentRegistry } from "./intents.ts";
 * const intents = createIntentRegistry();
 * intents.register("render", [{ kind: "tag", tag: "hardware.gpu" }]);
 * console.assert(intents.names.length === 7);
 * ```
 */
export function createIntentRegistry(): IntentRegistry {
  const registry = new IntentRegistry();
  for (const [intent, requirements] of DEFAULTS) registry.register(intent, requirements);
  return registry;
}

/** Asks whether a candidate has everything that is required. */
export function prepareRequirements(
  requirements: readonly IntentRequirement[],
  source: PlacementSource,
): SlotTest {
  const tests = requirements.map((requirement) => prepareRequirement(requirement, source));
  return (slot) => tests.every((test) => test(slot));
}

function prepareRequirement(requirement: IntentRequirement, source: PlacementSource): SlotTest {
  switch (requirement.kind) {
    case "tag":
      return source.tagTest(requirement.tag);
    case "tag_prefix":
      return source.tagPrefixTest(requirement.prefix);
    case "axis_any":
      return source.tagPrefixTest(`${requirement.axis}.`);
    case "axis_key":
      return source.keyTest(requirement.key);
    case "axis_value":
      return source.valueTest(requirement.key, (value) => value === requirement.value);
    case "axis_at_least":
    case "axis_at_most": {
      const { kind, key, threshold } = requirement;
      const test = createClauseValueTest({
        kind: kind === "axis_at_least" ? "numeric_at_least" : "numeric_at_most",
        key,
        threshold,
      });
      return test === undefined ? () => false : source.valueTest(key, test);
    }
    case "any_of": {
      const tests = requirement.requirements.map((other) => prepareRequirement(other, source));
      return (slot) => tests.some((test) => test(slot));
    }
  }
}

function atLeast(key: string, threshold: number): IntentRequirement {
  return { kind: "axis_at_least", key: { axis: "hardware", key }, threshold };
}
