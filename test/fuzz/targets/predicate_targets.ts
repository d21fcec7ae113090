/** Predicates from outside: their JSON, the header of a call, and the text that people write. */

import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import {
  createCapabilitySet,
  createPredicateHeader,
  decodePredicate,
  encodePredicate,
  evaluatePredicate,
  formatPredicate,
  parsePredicate,
  type Predicate,
  PREDICATE_HEADER,
  preparePredicate,
  readPredicateHeader,
  tracePredicate,
} from "../../../src/core/capability/mod.ts";
import { assertSame, type CreateTarget, type FuzzTarget } from "../fuzz.ts";

const gpu = { axis: "hardware", key: "gpu" } as const;
const python = { axis: "software", key: "runtime.python" } as const;
/** A node of 25 bytes is two objects. */
const TREE = { factor: 32, base: 4_096 };
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();
const SET = createCapabilitySet(["hardware.gpu", "software.runtime.python=3.10.4"], [["a", "5"]]);

const PREDICATES: readonly Predicate[] = [
  { kind: "exists", key: gpu },
  {
    kind: "and",
    children: [
      { kind: "not", child: { kind: "metadata_equals", key: "a", value: 'é"\\\n' } },
      { kind: "semver_compatible", key: python, version: "3.10" },
      { kind: "or", children: [] },
    ],
  },
  {
    kind: "or",
    children: [
      { kind: "numeric_in_range", key: gpu, min: -1.5, max: 1e300 },
      { kind: "metadata_numeric_at_least", key: "a", threshold: 5 },
      { kind: "string_prefix", key: python, prefix: "3" },
      { kind: "string_matches", key: python, pattern: "." },
      { kind: "metadata_matches", key: "a", pattern: "" },
    ],
  },
];

function wireTarget(): FuzzTarget {
  return {
    corpus: PREDICATES.map(encodePredicate),
    growth: TREE,
    feed: (bytes) => {
      const decoded = decodePredicate(bytes);
      return decoded.ok ? check(decoded.predicate) : undefined;
    },
  };
}

function headerTarget(): FuzzTarget {
  return {
    corpus: PREDICATES.map((predicate) => createPredicateHeader(predicate)[1]),
    growth: TREE,
    feed: (bytes) => {
      const header = readPredicateHeader([["other", bytes], [PREDICATE_HEADER, bytes]]);
      assert.notEqual(header.kind, "absent");
      if (header.kind !== "predicate") return undefined;
      assert.ok(bytes.length <= 4_096);
      return check(header.predicate);
    },
  };
}

function textTarget(): FuzzTarget {
  const texts = [
    "hardware.gpu && hardware.memory_gb>=64 && software.runtime.python~=3.10 && !decommissioned",
    'meta.owner=="a \\"b\\"" || (hardware.gpu in [1, 2.5] && any(a, all()))',
    'software."a key"^=x || software.os*=linux || software.os<=v1.2 || owner!=x',
  ];
  return {
    corpus: [...PREDICATES.map(formatPredicate), ...texts].map((text) => ENCODER.encode(text)),
    growth: TREE,
    feed: (bytes) => {
      let predicate: Predicate;
      try {
        predicate = parsePredicate(DECODER.decode(bytes));
      } catch (error) {
        assert.ok(error instanceof NetError && error.code === "usage", String(error));
        assert.ok(error.message.length < 300);
        return undefined;
      }
      const text = formatPredicate(predicate);
      if (text.length <= 4_096) assert.equal(formatPredicate(parsePredicate(text)), text);
      return check(predicate);
    },
  };
}

/** What was accepted has one form, and all ways of asking agree. */
function check(predicate: Predicate): Predicate {
  const expected = evaluatePredicate(predicate, SET);
  assert.equal(preparePredicate(predicate)(SET), expected);
  assert.equal(tracePredicate(predicate, SET).result, expected);
  let canonical: Uint8Array<ArrayBuffer>;
  try {
    canonical = encodePredicate(predicate);
  } catch (error) {
    // Nodes that were shared are written out.
    assert.ok(error instanceof NetError && error.code === "limit");
    return predicate;
  }
  const again = decodePredicate(canonical);
  assert.ok(again.ok);
  assertSame(encodePredicate(again.predicate), canonical);
  return predicate;
}

/** The table of this area. */
export const PREDICATE_TARGETS: Readonly<Record<string, CreateTarget>> = {
  predicate: wireTarget,
  predicate_header: headerTarget,
  predicate_text: textTarget,
};
