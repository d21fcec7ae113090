/** The capability index and what it is fed by: announcements as they come, and patterns of matchers. */

import assert from "node:assert/strict";
import {
  CapabilityIndex,
  decodeAnnouncement,
  encodeAnnouncement,
  evaluatePredicate,
  findByPredicate,
  findNodes,
  ingestCapabilities,
  localAnnouncement,
  type Predicate,
} from "../../../src/core/capability/mod.ts";
import { compileRegex } from "../../../src/core/capability/pattern/mod.ts";
import { createIdentity } from "../../../src/core/crypto/mod.ts";
import { idsOf, NaiveIndex } from "../../core/capability/index/naive_index.ts";
import { assertSame, type CreateTarget, type FuzzTarget } from "../fuzz.ts";
import { FuzzRandom } from "../fuzz_random.ts";

const ENCODER = new TextEncoder();
/** An announcement has lists of 64 ids and numbers that are bigints; a text has two bytes per letter. */
const RICH = { factor: 64, base: 4_096 };
/** Nodes that all announcements are taken to be of, so that they replace each other. */
const NODES = 40n;

const TAGS = [
  "gpu",
  "hardware.gpu",
  "hardware.memory_gb=64",
  "hardware.memory_gb:8",
  "hardware.gpu.vendor=amd",
  "software.os=linux",
  "software.os:linux",
  "software.model.0.id=tiny",
  "software.model.0.context_length=8192",
  "software.model.1.modalities=text,code",
  "software.tool.0.tool_id=sum",
  "scope:tenant:x",
  "scope:subnet-local",
  "nrpc:echo",
  'q"\\\n',
  "é\u{1d11e}",
];

function announcements(): readonly Uint8Array[] {
  const random = new FuzzRandom(11);
  return Array.from({ length: 24 }, (_, i) =>
    encodeAnnouncement({
      ...localAnnouncement({
        identity: createIdentity(new Uint8Array(32).fill(i + 1)),
        tags: Array.from({ length: random.below(8) }, () => random.pick(TAGS)),
        metadata: i % 3 === 0 ? [["tier", random.pick(["gold", "7", ""])]] : undefined,
        version: random.u64(),
        wallMs: 1_767_225_600_000 + random.below(1_000_000),
        reflexAddress: i % 4 === 0 ? "192.0.2.1:7000" : undefined,
      }),
      hopCount: random.below(3),
    }));
}

/** Whatever is announced, the index answers as walking over all nodes does. */
function indexTarget(): FuzzTarget {
  const index = new CapabilityIndex();
  const naive = new NaiveIndex();
  return {
    corpus: announcements(),
    growth: RICH,
    feed: (bytes, random) => {
      const decoded = decodeAnnouncement(bytes);
      if (!decoded.ok) return undefined;
      const { announcement } = decoded;
      const nodeId = announcement.nodeId % NODES;
      const capabilities = ingestCapabilities(announcement.capabilities);
      const facts = { capabilities, isStale: random.below(4) === 0 };
      if (random.below(5) === 0) {
        assert.equal(index.remove(nodeId), naive.find({}).includes(nodeId));
        naive.remove(nodeId);
      } else {
        assert.ok(index.set(nodeId, facts));
        naive.set(nodeId, facts);
      }
      const tag = random.pick([...capabilities.tags, ...TAGS]);
      const filter = {
        requireTags: random.below(2) === 0 ? [tag] : [],
        minMemoryGb: random.below(3) === 0 ? 16 : undefined,
        requireModels: random.below(4) === 0 ? ["tiny"] : [],
      };
      const rules = random.pick([undefined, "core"] as const);
      const stale = random.pick([undefined, "exclude"] as const);
      assert.deepEqual(
        findNodes(index, filter, { rules, stale }).ids(),
        naive.find(filter, {
          rules,
          stale,
        }),
      );
      const predicate: Predicate = random.pick(
        [
          { kind: "exists", key: { axis: "hardware", key: "memory_gb" } },
          { kind: "not", child: { kind: "metadata_exists", key: "tier" } },
          { kind: "string_matches", key: { axis: "software", key: "os" }, pattern: "l" },
        ] as const,
      );
      const expected = naive.where((entry) => evaluatePredicate(predicate, entry.capabilities));
      assert.deepEqual(findByPredicate(index, predicate).ids(), idsOf(expected));
      return announcement;
    },
    settle: () => assert.equal(index.size, naive.entries.size),
  };
}

/** Reading by the layout gives what reading member by member gives. */
function formTarget(): FuzzTarget {
  return {
    corpus: announcements(),
    growth: RICH,
    feed: (bytes) => {
      const decoded = decodeAnnouncement(bytes);
      // A space in front is allowed, and not in the layout.
      const spaced = new Uint8Array(bytes.length + 1);
      spaced[0] = 0x20;
      spaced.set(bytes, 1);
      const other = decodeAnnouncement(spaced);
      if (bytes.length < 8_000) assert.equal(decoded.ok, other.ok);
      if (!decoded.ok || !other.ok) return undefined;
      try {
        assertSame(
          encodeAnnouncement(decoded.announcement),
          encodeAnnouncement(other.announcement),
        );
      } catch (error) {
        assert.ok(error instanceof Error && "code" in error && error.code === "limit", `${error}`);
      }
      return decoded.announcement;
    },
  };
}

/** Patterns of strangers. */
function patternTarget(): FuzzTarget {
  const patterns = [
    "^hardware\\.gpu\\.(a|h)100$",
    "(?i)[a-z0-9_.-]+[=:]\\d{1,4}",
    "((a*)*b|[^\\s]+?)+$",
    "\\p{L}\\x41[[:alpha:]\\D]{2,}",
    "(?ms)^.|(?-s:.)\\b\\B\\z",
  ];
  return {
    corpus: patterns.map((pattern) => ENCODER.encode(pattern)),
    feed: (bytes) => {
      const pattern = new TextDecoder().decode(bytes);
      const regex = compileRegex(pattern);
      if (!regex.ok) return undefined;
      for (const text of TAGS) assert.equal(typeof regex.test(text), "boolean");
      return pattern;
    },
  };
}

/** Targets by name. */
export const INDEX_TARGETS: Readonly<Record<string, CreateTarget>> = {
  "capability index": indexTarget,
  "announcement layout": formTarget,
  "tag pattern": patternTarget,
};
