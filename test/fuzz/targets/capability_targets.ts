/** Decoders of capability sets: both forms, tags and typed views, diffs, filters, requirements. */

import assert from "node:assert/strict";
import {
  applyOps,
  CapabilityBuilder,
  type CapabilitySet,
  createBloomFilter,
  createCapabilitySet,
  createDiffOps,
  decodeBloomFilter,
  decodeCapabilitySet,
  decodeDiff,
  decodeHardwareView,
  decodeLimitsView,
  decodeModels,
  decodeSoftwareView,
  decodeTools,
  diffCapabilities,
  encodeCapabilitySet,
  encodeCapabilitySetCompact,
  encodeDiff,
  formatCapabilitySet,
  formatRequiredCapability,
  formatTag,
  isUnchanged,
  matchesRequired,
  parseChainClaim,
  parseTag,
  readChainClaims,
  readRequiredCapability,
  readScope,
  validateCapabilities,
} from "../../../src/core/capability/mod.ts";
import { NetError } from "../../../src/base/mod.ts";
import { assertSame, type CreateTarget, type FuzzTarget } from "../fuzz.ts";
import { FuzzRandom } from "../fuzz_random.ts";

const random = new FuzzRandom(29);
const ENCODER = new TextEncoder();
const LATIN = new TextDecoder("latin1");
/** A tag of one byte is a text, an entry of a list and one of a set. */
const RICH = { factor: 64, base: 4_096 };

/** A set with something of everything, different for each number. */
function sampleSet(i: number): CapabilitySet {
  const builder = new CapabilityBuilder()
    .addTags(Array.from({ length: random.below(4) }, (_, n) => `tag.${n}@${random.below(9)}`))
    .setMetadata("rack", String(random.below(99)));
  if (i % 2 === 0) {
    builder.setHardware({
      cpuCores: random.below(64),
      memoryGb: random.below(512),
      gpu: i % 4 === 0 ? { vendor: "amd", vramGb: random.below(80) } : undefined,
    });
  }
  if (i % 3 === 0) {
    builder.setModels([
      { modelId: "a", modalities: ["text", "tool_use"], loaded: true },
      { modelId: `m${random.below(9)}`, tokensPerSec: random.below(99) },
    ]);
  }
  if (i % 3 === 1) {
    builder.setTools([
      { toolId: "echo", requires: ["a", "b"], description: "says it", tags: ["x"] },
      { toolId: `t${random.below(9)}`, inputSchema: "{}" },
    ]);
  }
  if (i % 5 === 0) builder.setLimits({ rateLimitRpm: random.below(600), maxBatchSize: 2 });
  if (i % 5 === 1) builder.setSoftware({ os: "linux", runtimes: [["deno", "2"], ["x", "1"]] });
  if (i % 7 === 0) builder.setScope({ tenants: ["é"], isGlobal: true });
  return builder.build();
}

const sets = Array.from({ length: 16 }, (_, i) => sampleSet(i));

/** Reads everything that can be read from a set. */
function look(set: CapabilitySet): readonly unknown[] {
  return [
    decodeHardwareView(set),
    decodeLimitsView(set),
    decodeModels(set),
    readScope(set),
    decodeSoftwareView(set),
    decodeTools(set),
    readChainClaims(set),
    validateCapabilities(set),
  ];
}

function setTarget(): FuzzTarget {
  return {
    corpus: sets.flatMap((set) => [encodeCapabilitySet(set), encodeCapabilitySetCompact(set)]),
    growth: RICH,
    feed: (bytes) => {
      const decoded = decodeCapabilitySet(bytes);
      if (!decoded.ok) return undefined;
      const { set } = decoded;
      const text = formatCapabilitySet(set);
      for (const encode of [encodeCapabilitySet, encodeCapabilitySetCompact]) {
        let again: ReturnType<typeof decodeCapabilitySet>;
        try {
          again = decodeCapabilitySet(encode(set));
        } catch (error) {
          assert.ok(error instanceof NetError && error.code === "limit");
          continue;
        }
        assert.ok(again.ok && formatCapabilitySet(again.set) === text);
      }
      return [set, look(set)];
    },
  };
}

/** A text per line; every line is a tag. */
function tagsTarget(): FuzzTarget {
  const claims = [
    "causal:0123456789abcdef:18446744073709551615",
    "causal:0123456789abcdef[3..9]",
    "fork-of:0123456789abcdef",
    "heat:0123456789abcdef=0.50",
    "software.model.4294967295.id=last",
    "software.model.0.modalities=text,,smell",
    "software.tool.00.stateless:false",
  ];
  return {
    corpus: [...sets.map((set) => set.tags), claims].map((tags) => ENCODER.encode(tags.join("\n"))),
    growth: { factor: 192, base: 4_096 },
    feed: (bytes) => {
      const lines = LATIN.decode(bytes).split("\n").filter((line) => line !== "");
      const set = createCapabilitySet(lines);
      for (const line of set.tags) {
        const tag = parseTag(line);
        assert.ok(tag !== undefined && formatTag(tag) === line);
        parseChainClaim(line);
      }
      // Whatever tags hold, they can be told as steps from nothing.
      const nothing = createCapabilitySet([]);
      if (lines.length < 12) {
        const applied = applyOps(nothing, createDiffOps(nothing, set), true);
        assert.ok(applied.ok && isUnchanged(diffCapabilities(applied.set, set)));
      }
      return look(set);
    },
  };
}

function diffTarget(): FuzzTarget {
  const corpus = sets.map((set, i) => {
    const ops = createDiffOps(sets.at(i - 1) ?? set, set);
    const [nodeId, baseVersion, timestampNs] = [random.u64(), BigInt(i), random.u64()];
    return encodeDiff({ nodeId, baseVersion, newVersion: BigInt(i + 1), ops, timestampNs });
  });
  return {
    corpus,
    growth: RICH,
    feed: (bytes, draw) => {
      const decoded = decodeDiff(bytes);
      if (!decoded.ok) return undefined;
      const { diff } = decoded;
      try {
        const again = decodeDiff(encodeDiff(diff));
        assert.deepEqual(again, decoded);
      } catch (error) {
        assert.ok(error instanceof NetError && error.code === "limit");
      }
      const base = sets[draw.below(sets.length)];
      assert.ok(base !== undefined);
      applyOps(base, diff.ops, true);
      applyOps(base, diff.ops, false);
      return diff;
    },
  };
}

function bloomTarget(): FuzzTarget {
  const corpus = Array.from({ length: 8 }, (_, i) => {
    const filter = createBloomFilter(1 + 4 * i, 0.01);
    for (let n = 0; n < 4 * i; n++) filter.add(`causal:${n}`);
    return filter.encode();
  });
  return {
    corpus,
    feed: (bytes) => {
      const decoded = decodeBloomFilter(bytes);
      if (!decoded.ok) return undefined;
      const { filter } = decoded;
      const encoded = filter.encode();
      const again = decodeBloomFilter(encoded);
      assert.ok(again.ok);
      assertSame(again.filter.encode(), encoded);
      filter.mayHave("causal:1");
      filter.add("causal:1");
      assert.ok(filter.mayHave("causal:1"));
      return encoded;
    },
  };
}

function requiredTarget(): FuzzTarget {
  const texts = [
    "hardware.memory_gb>=32",
    "hardware . gpu.vram_gb <= 1e3",
    'software.os == "linux"',
    "software.os:linux",
    "gpu",
    "devices.x==",
  ];
  return {
    corpus: texts.map((text) => ENCODER.encode(text)),
    feed: (bytes) => {
      const read = readRequiredCapability(LATIN.decode(bytes));
      if (!read.ok) return undefined;
      const { required } = read;
      for (const set of sets.slice(0, 4)) matchesRequired(set, required);
      const again = readRequiredCapability(formatRequiredCapability(required));
      assert.deepEqual(again, read);
      return required;
    },
  };
}

/** Targets of this file by name. */
export const CAPABILITY_TARGETS: Readonly<Record<string, CreateTarget>> = {
  capability_set: setTarget,
  capability_tags: tagsTarget,
  capability_diff: diffTarget,
  bloom_filter: bloomTarget,
  required_capability: requiredTarget,
};
