import assert from "node:assert/strict";
import fc from "fast-check";
import {
  CapabilityIndex,
  type ConditionReport,
  createCapabilitySet,
  evaluatePredicate,
  type ExplainedNode,
  explainEntries,
  explainMatch,
  findNodes,
  formatMatchReport,
  type MatchQuery,
  parsePredicate,
} from "../../../../src/core/capability/mod.ts";
import { anyPredicate, setNear } from "../predicate/samples.ts";

const node: ExplainedNode = {
  nodeId: 7n,
  capabilities: createCapabilitySet([
    "hardware.gpu",
    "hardware.gpu.vendor=amd",
    "hardware.gpu.vram_gb=16",
    "hardware.memory_gb=32",
    "software.os=linux",
    "software.runtime.python=3.9.1",
    "software.runtime.node:lts",
    "software.model.0.id=tiny",
    "software.model.0.context_length=4096",
    "software.model.0.modalities=text,code",
    "software.tool.0.tool_id=search",
    "scope:tenant:acme",
    "nrpc:search",
  ], [["owner", "ada"], ["priority", "high"]]),
};

const explain = (query: MatchQuery, ...redactedKeys: string[]) =>
  explainMatch(query, node, { redactedKeys });
const asked = (text: string, ...redactedKeys: string[]) =>
  explain({ predicate: parsePredicate(text) }, ...redactedKeys).conditions;
const row = ({ text, holds, found }: ConditionReport) => [holds, text, found];

Deno.test("explainMatch() says of every clause what the node has", () => {
  const found: Readonly<Record<string, readonly [boolean, string]>> = {
    "hardware.gpu": [true, "hardware.gpu"],
    "hardware.gpu==x": [false, "hardware.gpu (no value)"],
    "hardware.memory_gb>=64": [false, "hardware.memory_gb=32"],
    "hardware.memory_gb in [32, 64]": [true, "hardware.memory_gb=32"],
    "software.os>=5": [false, "software.os=linux (no number)"],
    "software.runtime.python>=v3.10": [false, "software.runtime.python=3.9.1"],
    "software.runtime.node~=v20": [false, "software.runtime.node:lts (no version)"],
    'software.runtime.python~=v"x"': [
      false,
      "software.runtime.python=3.9.1 (asked for what is no version)",
    ],
    "software.runtime": [
      false,
      "no tag software.runtime, but software.runtime.node:lts, software.runtime.python=3.9.1",
    ],
    "devices.camera": [false, "no tag devices.camera"],
    "meta.owner": [true, "owner=ada"],
    "meta.owner==bob": [false, "owner=ada"],
    "meta.priority>=5": [false, "priority=high (no number)"],
    "meta.rack": [false, "no metadata rack"],
  };
  for (const [text, [holds, what]] of Object.entries(found)) {
    assert.deepEqual(asked(text).map(row), [[holds, text, what]]);
  }
});

Deno.test("explainMatch() asks everything, also what cannot change the answer", () => {
  const [or, not, last, ...others] = asked("(owner || rack) && !(owner && all()) && owner");
  assert.deepEqual(others, []);
  assert.ok(or !== undefined && not !== undefined && last !== undefined);
  assert.deepEqual(row(or), [true, "one of these", ""]);
  assert.deepEqual(or.children.map(row), [
    [true, "meta.owner", "owner=ada"],
    [false, "meta.rack", "no metadata rack"],
  ]);
  assert.deepEqual(row(not), [false, "not this", ""]);
  assert.deepEqual(not.children.map(row), [[true, "all of these", ""]]);
  assert.deepEqual(row(last), [true, "meta.owner", "owner=ada"]);
});

Deno.test("explainMatch() hides values of the given keys, asked and had", () => {
  const text = "owner==bob && owner*=da && priority>=5 && !owner && other==x";
  const rows = asked(text, "owner", "priority", "hardware.gpu").flatMap((condition) =>
    [condition, ...condition.children].map(row)
  );
  assert.deepEqual(rows, [
    [false, "meta.owner==<redacted>", "owner=<redacted>"],
    [true, "meta.owner*=<redacted>", "owner=<redacted>"],
    [false, "meta.priority>=<redacted>", "priority=<redacted>"],
    [false, "not this", ""],
    [true, "meta.owner", "owner=<redacted>"],
    [false, "meta.other==x", "no metadata other"],
  ]);
});

Deno.test("explainMatch() takes a filter apart", () => {
  const query: MatchQuery = {
    filter: {
      requireTags: ["software.os:linux", "software.os=windows", "nrpc:draw", "relay-capable"],
      requireModels: ["llama", "tiny"],
      requireTools: ["draw"],
      requireGpu: true,
      gpuVendor: "nvidia",
      minMemoryGb: 64,
      minVramGb: 8,
      minContextLength: 8192,
      requireModalities: ["text", "image"],
    },
    options: { scope: { kind: "tenants", names: ["other"] }, stale: "only" },
  };
  const { matches, conditions } = explain(query);
  assert.equal(matches, false);
  assert.deepEqual(conditions.map(row), [
    [true, "tag software.os:linux", "software.os=linux"],
    [false, "tag software.os=windows", "software.os=linux"],
    [false, "tag nrpc:draw", "nrpc:search"],
    [false, "tag relay-capable", "no such tag"],
    [true, "model llama, tiny", "tiny"],
    [false, "tool draw", "search"],
    [true, "GPU", "a GPU"],
    [false, "GPU of nvidia", "amd"],
    [false, "memory of 64 GB", "32 GB"],
    [true, "GPU memory of 8 GB", "16 GB"],
    [false, "context of 8192 tokens", "4096"],
    [false, "modalities text, image", "text, code"],
    [false, "tenant other", "scope:tenant:acme"],
    [false, "not heard since this node started", "heard"],
  ]);
  const core = explain({ ...query, options: { rules: "core" } }).conditions.map(row);
  assert.deepEqual(core[0], [false, "tag software.os:linux", "software.os=linux"]);
  assert.equal(core.length, 10);
  const bare: ExplainedNode = { nodeId: 1n, capabilities: createCapabilitySet([]), isStale: true };
  const scopes = ["any", "global_only"] as const;
  for (const kind of scopes) {
    const options = { scope: { kind }, stale: "exclude" } as const;
    assert.deepEqual(explainMatch({ options }, bare).conditions.map(({ holds }) => holds), [
      true,
      false,
    ]);
  }
  assert.deepEqual(explainMatch({}, bare), { matches: true, conditions: [] });
});

Deno.test("explainMatch() comes to the answer of a search", () => {
  const anyCase = anyPredicate.chain((predicate) =>
    fc.tuple(fc.constant(predicate), setNear(predicate))
  );
  const anyFilter = fc.record({
    requireTags: fc.subarray(["hardware.gpu", "hardware.os:0", "x"]),
    minMemoryGb: fc.constantFrom(undefined, 2),
    requireGpu: fc.boolean(),
  });
  fc.assert(
    fc.property(anyCase, anyFilter, ([predicate, capabilities], filter) => {
      const index = new CapabilityIndex();
      index.set(1n, { capabilities });
      const isFound = findNodes(index, filter).has(1n) &&
        evaluatePredicate(predicate, capabilities);
      assert.equal(
        explainMatch({ filter, predicate }, { nodeId: 1n, capabilities }).matches,
        isFound,
      );
    }),
    { numRuns: 500 },
  );
});

Deno.test("explainEntries() tells of the class in which a search finds the node", () => {
  const announced = { nodeId: 7n, capabilities: createCapabilitySet(["a"]) };
  const member = { nodeId: 7n, classHash: 5n, capabilities: createCapabilitySet(["b"]) };
  const index = new CapabilityIndex();
  index.set(7n, announced);
  index.set(7n, member);
  for (const tag of ["a", "b", "c"]) {
    const filter = { requireTags: [tag] };
    const explained = explainEntries({ filter }, index.get(7n));
    assert.equal(explained?.report.matches, findNodes(index, filter).has(7n));
    assert.equal(explained?.entry.classHash, tag === "b" ? 5n : 0n);
  }
  assert.equal(explainEntries({}, []), undefined);
});

Deno.test("explainMatch() shows nothing that a terminal would obey, and no more than fits", () => {
  const value = `\x1b[2J\u202e${"x".repeat(100)}`;
  const hostile: ExplainedNode = {
    nodeId: 1n,
    capabilities: createCapabilitySet(
      Array.from({ length: 12 }, (_, n) => `devices.a=${n}${value}`),
      [["k", value]],
    ),
  };
  const predicate = parsePredicate('devices.a==x && k=="\u009b31m" && meta."a key"');
  const [tags, entry, quoted] = explainMatch({ predicate }, hostile).conditions;
  for (const text of [tags?.found, entry?.found, entry?.text]) {
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(text ?? "\x1b", /[\x00-\x1f\x7f-\x9f\u202e]/);
  }
  assert.match(tags?.found ?? "", /^devices\.a=0\\u\{1b\}\[2J\\u\{202e\}x+…, .* and 4 more$/);
  assert.equal(entry?.text, "meta.k==\\u{9b}31m");
  assert.equal(quoted?.text, 'meta."a key"');
});

Deno.test("formatMatchReport() aligns what was asked and what was found", () => {
  const predicate = parsePredicate("hardware.memory_gb>=64 && (rack || !owner)");
  assert.equal(
    formatMatchReport(explain({ predicate, filter: { requireGpu: true } })),
    `yes  GPU                     a GPU
no   hardware.memory_gb>=64  hardware.memory_gb=32
no   one of these
no     meta.rack             no metadata rack
no     not this
yes      meta.owner          owner=ada`,
  );
  assert.equal(formatMatchReport({ matches: true, conditions: [] }), "");
});
