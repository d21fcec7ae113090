import assert from "node:assert/strict";
import { type MetricFamily, renderOpenMetrics, renderPrometheus } from "../../src/observe/mod.ts";
import { readExposition } from "./exposition_reader.ts";

const FAMILIES: readonly MetricFamily[] = [
  {
    name: "net_jobs_total",
    type: "counter",
    help: 'Jobs "done" \\ by\nkind.',
    samples: [
      { labels: [["kind", 'a\\b"c\nd\re,{}=']], value: 3 },
      { labels: [["kind", "plain"], ["where", ""]], value: 0 },
    ],
  },
  { name: "net_jobs", type: "gauge", help: "Jobs now.", samples: [{ value: -1.5 }] },
  { name: "net_empty", type: "gauge", help: "Without series.", samples: [] },
  {
    name: "net_wait_seconds",
    type: "histogram",
    help: "Waits.",
    samples: [
      { suffix: "_bucket", labels: [["le", "0.5"]], value: 1 },
      { suffix: "_bucket", labels: [["le", "+Inf"]], value: 2 },
      { suffix: "_sum", value: 1e-7 },
      { suffix: "_count", value: 2 },
    ],
  },
  { name: "net_limit", type: "gauge", help: "A bound.", samples: [{ value: Infinity }] },
];

Deno.test("renderPrometheus() writes what the strict reader takes, escaped", () => {
  const text = renderPrometheus(FAMILIES);
  assert.equal(
    text.split("\n").slice(0, 4).join("\n"),
    '# HELP net_jobs_total Jobs "done" \\\\ by\\nkind.\n# TYPE net_jobs_total counter\n' +
      'net_jobs_total{kind="a\\\\b\\"c\\nd\\\\re,{}="} 3\nnet_jobs_total{kind="plain",where=""} 0',
  );
  const read = readExposition(text);
  assert.equal(read.get("net_jobs")?.samples.get("net_jobs{}"), -1.5);
  assert.equal(read.get("net_limit")?.samples.get("net_limit{}"), Infinity);
  assert.equal(read.get("net_wait_seconds")?.samples.get("net_wait_seconds_sum{}"), 1e-7);
  assert.equal(renderPrometheus([]), "");
});

Deno.test("renderOpenMetrics() ends, and names counters without their _total", () => {
  const read = readExposition(
    renderOpenMetrics(FAMILIES.filter(({ name }) => name !== "net_jobs")),
    "openmetrics",
  );
  assert.equal(read.get("net_jobs")?.type, "counter");
  assert.equal(read.get("net_jobs")?.samples.size, 2);
  // Another family has the name that the counter's would have.
  const both = readExposition(renderOpenMetrics(FAMILIES), "openmetrics");
  assert.deepEqual([both.get("net_jobs_total")?.type, both.get("net_jobs")?.type], [
    "unknown",
    "gauge",
  ]);
  assert.equal(renderOpenMetrics([]), "# EOF\n");
});

Deno.test("the strict reader refuses what the formats forbid", () => {
  const head = "# HELP a_total A.\n# TYPE a_total counter\n";
  const wrong: readonly [string, RegExp][] = [
    [`${head}a_total 1`, /no end/],
    [`${head}a_total 1\na_total 2\n`, /twice/],
    [`${head}${head}`, /HELP twice/],
    [`${head}b_total 1\n`, /not of the family/],
    [`${head}a_total -1\n`, /below 0/],
    [`${head}a_total{x="\\r"} 1\n`, /cannot be read/],
    [`${head}a_total{x="1",x="2"} 1\n`, /label twice/],
    [`${head}a_total one\n`, /no value/],
    ["a_total 1\n", /no family/],
    ["# HELP a A.\n# TYPE a counter\na 1\n", /_total/],
  ];
  for (const [text, message] of wrong) assert.throws(() => readExposition(text), message, text);
});
