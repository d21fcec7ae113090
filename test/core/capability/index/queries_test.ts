import assert from "node:assert/strict";
import fc from "fast-check";
import {
  compareUtf8,
  evaluatePredicate,
  NODE_STATES,
  parseTag,
  type Predicate,
} from "../../../../src/core/capability/mod.ts";
import {
  aggregate,
  type Aggregation,
  CapabilityIndex,
  type EntryQuery,
  findBestNode,
  findByPredicate,
  findEntries,
  type GroupBy,
  indexCardinality,
  rankCapacity,
  type TagMatcher,
} from "../../../../src/core/capability/index/mod.ts";
import { anyFacts, anyFilter, anyNodeId, anyTag } from "./index_samples.ts";
import {
  hardwareOf,
  hasTag,
  idsOf,
  modelsOf,
  type NaiveEntry,
  NaiveIndex,
  regionOf,
} from "./naive_index.ts";

const anyPair = fc.array(fc.tuple(anyNodeId, anyFacts), { maxLength: 60, size: "max" })
  .map((entries) => {
    const [index, naive] = [new CapabilityIndex(), new NaiveIndex()];
    for (const [nodeId, facts] of entries) {
      index.set(nodeId, facts);
      naive.set(nodeId, facts);
    }
    return { index, naive };
  });

const axis = fc.constantFrom("hardware" as const, "software" as const, "devices" as const);
const key = fc.constantFrom(
  { axis: "hardware", key: "memory_gb" } as const,
  { axis: "hardware", key: "gpu.vram_gb" } as const,
  { axis: "hardware", key: "gpu.vendor" } as const,
  { axis: "software", key: "os" } as const,
  { axis: "software", key: "runtime.deno" } as const,
  { axis: "hardware", key: "" } as const,
  { axis: "software", key: "os=linux" } as const,
  { axis: "devices", key: "none" } as const,
);
const number = fc.constantFrom(0, -1, 1.5, 8, 16, 64, 1e300, Infinity, -Infinity, NaN);
const text = fc.constantFrom("linux", "2.9", "2.9.6", "amd", "", "i", "64");
const name = fc.constantFrom("tier", "zone", "10", "none");

const clause: fc.Arbitrary<Predicate> = fc.oneof(
  fc.record({ kind: fc.constant("exists" as const), key }),
  fc.record({ kind: fc.constant("equals" as const), key, value: text }),
  fc.record({
    kind: fc.constantFrom("numeric_at_least" as const, "numeric_at_most" as const),
    key,
    threshold: number,
  }),
  fc.record({ kind: fc.constant("numeric_in_range" as const), key, min: number, max: number }),
  fc.record({
    kind: fc.constantFrom("semver_at_least", "semver_at_most", "semver_compatible"),
    key,
    version: text,
  }),
  fc.record({ kind: fc.constant("string_prefix" as const), key, prefix: text }),
  fc.record({ kind: fc.constant("string_matches" as const), key, pattern: text }),
  fc.record({ kind: fc.constant("metadata_exists" as const), key: name }),
  fc.record({
    kind: fc.constant("metadata_equals" as const),
    key: name,
    value: fc.constantFrom("gold", "7", ""),
  }),
  fc.record({
    kind: fc.constant("metadata_matches" as const),
    key: name,
    pattern: fc.constantFrom("l", "7", ""),
  }),
  fc.record({
    kind: fc.constant("metadata_numeric_at_least" as const),
    key: name,
    threshold: number,
  }),
);

const predicate = fc.letrec<{ node: Predicate }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    clause,
    fc.record({
      kind: fc.constantFrom("and" as const, "or" as const),
      children: fc.array(tie("node"), { maxLength: 4 }),
    }),
    fc.record({ kind: fc.constant("not" as const), child: tie("node") }),
  ),
})).node;

Deno.test("findByPredicate() finds what evaluatePredicate() holds true", () => {
  fc.assert(
    fc.property(anyPair, fc.array(predicate, { maxLength: 6 }), ({ index, naive }, predicates) => {
      for (const asked of predicates) {
        const expected = naive.where(({ capabilities }) => evaluatePredicate(asked, capabilities));
        const found = findByPredicate(index, asked);
        assert.deepEqual(found.ids(), idsOf(expected), JSON.stringify(asked));
        assert.equal(found.size, expected.length);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("findByPredicate() is right after values came and went", () => {
  const steps = fc.array(fc.tuple(anyNodeId, fc.option(anyFacts)), { maxLength: 60, size: "max" });
  fc.assert(fc.property(steps, fc.array(clause, { maxLength: 4 }), (changes, clauses) => {
    const [index, naive] = [new CapabilityIndex(), new NaiveIndex()];
    for (const [nodeId, facts] of changes) {
      if (facts === null) {
        index.remove(nodeId);
        naive.remove(nodeId);
      } else {
        index.set(nodeId, facts);
        naive.set(nodeId, facts);
      }
      for (const asked of clauses) {
        const expected = naive.where(({ capabilities }) => evaluatePredicate(asked, capabilities));
        assert.equal(findByPredicate(index, asked).size, expected.length);
      }
    }
  }));
});

Deno.test("indexCardinality() counts distinct tags of a key and distinct values of metadata", () => {
  fc.assert(fc.property(anyPair, key, name, ({ index, naive }, asked, metadataKey) => {
    const [tags, values] = [new Set<string>(), new Set<string>()];
    for (const { capabilities } of naive.entries.values()) {
      for (const tag of capabilities.tags) if (hasKey(tag, asked)) tags.add(tag);
      const value = capabilities.metadata.get(metadataKey);
      if (value !== undefined) values.add(value);
    }
    const cardinality = indexCardinality(index);
    assert.equal(cardinality.tagValues(asked), tags.size);
    assert.equal(cardinality.metadataValues(metadataKey), values.size);
  }));
});

Deno.test("findEntries() finds by class, state, region and tags together, lowest ids first", () => {
  const tags = fc.array(anyTag, { maxLength: 2 });
  const query: fc.Arbitrary<EntryQuery> = fc.record({
    classHash: fc.constantFrom(undefined, 0n, 1n, 5n),
    tagsAll: fc.option(tags, { nil: undefined }),
    tagsAny: fc.option(tags, { nil: undefined }),
    tagGroupsAll: fc.option(fc.array(tags, { maxLength: 2 }), { nil: undefined }),
    state: fc.constantFrom(undefined, undefined, ...NODE_STATES),
    region: fc.constantFrom(undefined, undefined, "eu", "none"),
    limit: fc.constantFrom(undefined, 0, 1, 3),
  });
  const rules = fc.constantFrom(undefined, "core" as const);
  fc.assert(
    fc.property(anyPair, query, rules, ({ index, naive }, asked, rules) => {
      const has = ({ capabilities }: NaiveEntry, tag: string) => hasTag(capabilities, tag, rules);
      const { tagsAll = [], tagsAny = [], tagGroupsAll = [], limit = 0 } = asked;
      const expected = naive.where((entry) =>
        (asked.classHash === undefined || (entry.classHash ?? 0n) === asked.classHash) &&
        (asked.state === undefined || (entry.state ?? "idle") === asked.state) &&
        (asked.region === undefined || regionOf(entry) === asked.region) &&
        tagsAll.every((tag) => has(entry, tag)) &&
        (tagsAny.length === 0 || tagsAny.some((tag) => has(entry, tag))) &&
        tagGroupsAll.every((group) => group.length === 0 || group.some((tag) => has(entry, tag)))
      ).sort((left, right) => left.nodeId < right.nodeId ? -1 : 1);
      const found = findEntries(index, asked, { rules });
      const kept = limit > 0 ? expected.slice(0, limit) : expected;
      assert.deepEqual(found.ids(), idsOf(kept));
      assert.equal(found.size, kept.length);
      assert.equal([...found.entries()].length, kept.length);
    }),
    { numRuns: 300 },
  );
});

Deno.test("findBestNode() picks the highest score and of equal ones the lowest id", () => {
  const weight = fc.constantFrom(undefined, 0, 0.1, 0.5, 1, 7, NaN, -1);
  const weights = fc.record({ memory: weight, vram: weight, speed: weight, loaded: weight });
  const scoreOf = (entry: NaiveEntry, asked: Record<string, number | undefined>) => {
    const f = Math.fround;
    const models = modelsOf(entry);
    const { memoryGb, vramGb } = hardwareOf(entry);
    const loaded = models.filter((model) => model.loaded).length;
    const parts = [
      [asked.memory, memoryGb / 256],
      [asked.vram, vramGb / 80],
      [asked.speed, Math.max(0, ...models.map((model) => model.tokensPerSec)) / 1000],
      [asked.loaded, models.length === 0 ? 0 : loaded / models.length],
    ] as const;
    return parts.reduce((sum, [given = 0, part]) => {
      const clamped = given > 0 ? f(Math.min(given, 1)) : 0;
      return f(sum + f(clamped * Math.min(f(part), 1)));
    }, 1);
  };
  fc.assert(fc.property(
    anyPair,
    fc.array(fc.tuple(anyFilter, weights), { minLength: 1, maxLength: 6 }),
    fc.array(fc.tuple(anyNodeId, anyFacts), { maxLength: 5 }),
    ({ index, naive }, queries, later) => {
      // Scores are kept from the first round; the second one sees them after changes.
      for (const changes of [[], later]) {
        for (const [nodeId, facts] of changes) {
          index.set(nodeId, facts);
          naive.set(nodeId, facts);
        }
        for (const [filter, asked] of queries) {
          const passing = new Set(naive.find(filter));
          let best: { id: bigint; score: number } | undefined;
          for (const entry of naive.where((each) => passes(each, filter))) {
            const score = scoreOf(entry, asked);
            const { nodeId: id } = entry;
            if (
              best === undefined || score > best.score || (score === best.score && id < best.id)
            ) best = { id, score };
          }
          assert.equal(findBestNode(index, filter, asked), best?.id);
          assert.equal(best === undefined, passing.size === 0);
        }
      }
    },
  ));

  function passes(entry: NaiveEntry, filter: Parameters<NaiveIndex["find"]>[0]): boolean {
    const alone = new NaiveIndex();
    alone.set(entry.nodeId, entry);
    return alone.find(filter).length === 1;
  }
});

const matcher: fc.Arbitrary<TagMatcher> = fc.oneof(
  fc.record({ kind: fc.constant("exact" as const), value: anyTag }),
  fc.record({
    kind: fc.constant("prefix" as const),
    value: fc.tuple(anyTag, fc.nat(24)).map(([tag, length]) => tag.slice(0, length)),
  }),
  fc.record({ kind: fc.constant("axis" as const), axis }),
  key.map((asked): TagMatcher => ({ kind: "axis_key", ...asked })),
  fc.constantFrom("gpu", "^software\\.os[=:]", "(1|6)$", "^a.b$", "(", "scope:[^:]+$").map(
    (pattern): TagMatcher => ({ kind: "regex", pattern }),
  ),
  fc.record({
    kind: fc.constant("version_range" as const),
    axis_key: fc.constantFrom("software.runtime.deno", "software.os", "voodoo.x", "software"),
    min: fc.constantFrom(undefined, null, "2.9.0", "2.10.0", "x"),
    max: fc.constantFrom(undefined, null, "2.9.6", "2.9.6-rc1"),
  }),
);

function matches(tag: string, asked: TagMatcher): boolean {
  const parsed = parseTag(tag);
  const isStructured = parsed?.kind === "present" || parsed?.kind === "value";
  switch (asked.kind) {
    case "exact":
      return tag === asked.value;
    case "prefix":
      return tag.startsWith(asked.value);
    case "axis":
      return isStructured && parsed.axis === asked.axis;
    case "axis_key":
      return isStructured && parsed.axis === asked.axis && parsed.key === asked.key;
    case "regex":
      return asked.pattern !== "(" && new RegExp(asked.pattern, "u").test(tag);
    case "version_range": {
      // The only whole version in the samples.
      const isVersion = parsed?.kind === "value" && parsed.value === "2.9.6" &&
        asked.axis_key === `${parsed.axis}.${parsed.key}`;
      const isAbove = [undefined, null, "2.9.0"].includes(asked.min);
      return isVersion && isAbove && asked.max !== "2.9.6-rc1";
    }
  }
}

const groupBy: fc.Arbitrary<GroupBy> = fc.oneof(
  fc.constantFrom<GroupBy>(
    { kind: "class" },
    { kind: "state" },
    { kind: "region" },
    { kind: "publisher" },
  ),
  fc.constantFrom("hardware.gpu", "hardware", "software.model.0", "a", "", "scope:tenant:x").map(
    (prefix): GroupBy => ({ kind: "tag_stem", prefix }),
  ),
  key.map((asked): GroupBy => ({ kind: "tag_value", ...asked })),
);

function bucketsOf(entry: NaiveEntry, asked: GroupBy): readonly string[] {
  const { tags } = entry.capabilities;
  switch (asked.kind) {
    case "class":
      return [`0x${(entry.classHash ?? 0n).toString(16)}`];
    case "state":
      return [entry.state ?? "idle"];
    case "region":
      return [regionOf(entry) ?? "(none)"];
    case "publisher":
      return [`0x${entry.nodeId.toString(16)}`];
    case "tag_stem":
      return unique(tags.flatMap((tag) => {
        if (tag === asked.prefix) return ["(present)"];
        const rest = tag.startsWith(`${asked.prefix}.`) ? tag.slice(asked.prefix.length + 1) : "";
        return rest.split(/[.=:]/).slice(0, 1).filter((stem) => stem !== "");
      }));
    case "tag_value":
      return unique(tags.flatMap((tag) => valueOf(tag, asked) ?? []));
  }
}

const aggregation: fc.Arbitrary<Aggregation> = fc.oneof(
  fc.constantFrom<Aggregation>({ kind: "count" }, { kind: "distinct_publishers" }),
  key.map((asked): Aggregation => ({ kind: "distinct_values", ...asked })),
  fc.record({
    kind: fc.constantFrom("sum_numeric_tag", "min_numeric_tag", "max_numeric_tag"),
    axis_key: fc.constantFrom("hardware.memory_gb", "hardware.cpu_cores", "software.os", "x.y", ""),
  }),
);

const U64_MAX = (1n << 64n) - 1n;

function numbersOf(entries: readonly NaiveEntry[], axisKey: string): readonly bigint[] {
  const dot = axisKey.indexOf(".");
  const asked = { axis: axisKey.slice(0, Math.max(dot, 0)), key: axisKey.slice(dot + 1) };
  return entries.flatMap(({ capabilities }) =>
    capabilities.tags.flatMap((tag) => {
      const value = valueOf(tag, asked) ?? "";
      return /^\+?[0-9]+$/.test(value) && BigInt(value.replace("+", "")) <= U64_MAX
        ? [BigInt(value.replace("+", ""))]
        : [];
    })
  );
}

function aggregateOf(entries: readonly NaiveEntry[], asked: Aggregation): bigint {
  switch (asked.kind) {
    case "count":
      return BigInt(entries.length);
    case "distinct_publishers":
      return BigInt(idsOf(entries).length);
    case "distinct_values": {
      const tags = entries.flatMap(({ capabilities }) => capabilities.tags);
      return BigInt(unique(tags.flatMap((tag) => valueOf(tag, asked) ?? [])).length);
    }
    default: {
      const numbers = [...numbersOf(entries, asked.axis_key)].sort((a, b) => a < b ? -1 : 1);
      if (asked.kind === "min_numeric_tag") return numbers[0] ?? 0n;
      if (asked.kind === "max_numeric_tag") return numbers.at(-1) ?? 0n;
      return sumOf(numbers);
    }
  }
}

function bucketed(
  entries: readonly NaiveEntry[],
  asked: GroupBy,
): readonly (readonly [string, readonly NaiveEntry[]])[] {
  const buckets = new Map<string, NaiveEntry[]>();
  for (const entry of entries) {
    for (const bucket of bucketsOf(entry, asked)) {
      buckets.set(bucket, [...buckets.get(bucket) ?? [], entry]);
    }
  }
  return [...buckets].sort(([left], [right]) => compareUtf8(left, right));
}

Deno.test("aggregate() gives what walking over all entries gives", () => {
  fc.assert(
    fc.property(
      anyPair,
      fc.option(matcher, { nil: undefined }),
      groupBy,
      aggregation,
      ({ index, naive }, picked, asked, counted) => {
        const entries = naive.where(({ capabilities }) =>
          picked === undefined || capabilities.tags.some((tag) => matches(tag, picked))
        );
        const expected = bucketed(entries, asked)
          .map(([bucket, members]) => ({ bucket, value: aggregateOf(members, counted) }));
        const query = { matcher: picked, groupBy: asked, aggregation: counted };
        assert.deepEqual(aggregate(index, query, { rules: "core" }), expected);
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("rankCapacity() gives what walking over all entries gives", () => {
  const query = fc.record({
    matcher: fc.option(matcher, { nil: undefined }),
    groupBy,
    sumAxisKey: fc.constantFrom(undefined, "hardware.memory_gb", "nonsense"),
    maxRttMs: fc.constantFrom(undefined, 5),
    limit: fc.constantFrom(undefined, 0, 2),
  });
  const rttOf = (nodeId: bigint) => nodeId % 3n === 0n ? undefined : Number(nodeId % 10n);
  fc.assert(
    fc.property(anyPair, query, ({ index, naive }, asked) => {
      const { matcher: picked, maxRttMs } = asked;
      const entries = naive.where(({ nodeId, state, capabilities }) =>
        state !== "faulty" &&
        (maxRttMs === undefined || (rttOf(nodeId) ?? Infinity) <= maxRttMs) &&
        (picked === undefined || capabilities.tags.some((tag) => matches(tag, picked)))
      );
      const rows = bucketed(entries, asked.groupBy).map(([bucket, members]) => {
        const count = (state: string) =>
          members.filter((entry) => (entry.state ?? "idle") === state).length;
        return {
          bucket,
          idle: count("idle"),
          busy: count("busy"),
          reserved: count("reserved"),
          available: members.length,
          summedCapacity: asked.sumAxisKey === "hardware.memory_gb"
            ? sumOf(numbersOf(members, asked.sumAxisKey))
            : undefined,
        };
      }).sort((left, right) => right.available - left.available);
      const expected = asked.limit === 2 ? rows.slice(0, 2) : rows;
      assert.deepEqual(rankCapacity(index, asked, rttOf, { rules: "core" }), expected);
    }),
    { numRuns: 300 },
  );
});

function hasKey(tag: string, asked: { readonly axis: string; readonly key: string }): boolean {
  const parsed = parseTag(tag);
  return (parsed?.kind === "present" || parsed?.kind === "value") && parsed.axis === asked.axis &&
    parsed.key === asked.key;
}

function valueOf(
  tag: string,
  asked: { readonly axis: string; readonly key: string },
): string | undefined {
  const parsed = parseTag(tag);
  return parsed?.kind === "value" && hasKey(tag, asked) ? parsed.value : undefined;
}

function sumOf(numbers: readonly bigint[]): bigint {
  const sum = numbers.reduce((total, value) => total + value, 0n);
  return sum > U64_MAX ? U64_MAX : sum;
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)];
}
