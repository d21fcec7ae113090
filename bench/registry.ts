/**
 * Measures the registries: figures of 10,000 described nodes, queries against filtering all of them, and
 * look-ups of methods by path against trying every template, all in one run.
 *
 * For reference: the release notes name less than a nanosecond for counts and 1.88 ms for finding an
 * endpoint (`promises.md` Q5). The addon has no call for either. Times are ours/theirs, so lower is better.
 *
 * Run: `deno run -A bench/registry.ts`
 */
import {
  ApiRegistry,
  CONTINENTS,
  MetadataStore,
  NETWORK_TIERS,
  NODE_STATUSES,
} from "../src/core/capability/mod.ts";
import { summarize } from "./_summary.ts";

const NODES = 10_000;
const METHODS = 20;
const ROUNDS = 9;
const SLICE_MS = 20;
const PROMISED_LOOKUP_NS = 1_880_000;

function measure(run: () => void): number {
  const samples: number[] = [];
  for (let round = -3; round < ROUNDS; round++) {
    const start = performance.now();
    let count = 0;
    let elapsed = 0;
    while (elapsed < SLICE_MS) {
      run();
      count += 1;
      elapsed = performance.now() - start;
    }
    if (round >= 0) samples.push(elapsed * 1e6 / count);
  }
  return summarize(samples).median;
}

const at = <T>(list: readonly T[], i: number): T => list[i % list.length] as T;

const store = new MetadataStore();
const described = Array.from({ length: NODES }, (_, i) => ({
  nodeId: BigInt(i),
  status: at(NODE_STATUSES, i),
  tier: at(NETWORK_TIERS, i >> 2),
  location: { continent: at(CONTINENTS, i >> 3), region: `region ${i % 50}` },
  tags: [`rack ${i % 200}`, `row ${i % 20}`],
}));
for (const node of described) store.upsert(node);

const registry = new ApiRegistry();
const templates: (readonly [node: bigint, template: readonly string[]])[] = [];
for (let node = 0; node < NODES; node++) {
  const paths = Array.from({ length: METHODS }, (_, i) => `/service${node % 500}/{id}/part${i}`);
  paths.push("/{tenant}/health");
  registry.register(BigInt(node), [{
    name: `service${node % 500}`,
    version: "1.0.0",
    methods: paths.map((path) => ({ verb: "get", path })),
  }]);
  for (const path of paths) templates.push([BigInt(node), path.slice(1).split("/")]);
}
const wanted = ["service77", "42", "part7"];
const tryAll = () =>
  templates.filter(([, template]) =>
    template.length === wanted.length &&
    template.every((part, i) => part.startsWith("{") || part === wanted[i])
  );
const path = `/${wanted.join("/")}`;
if (tryAll().length !== registry.lookup({ path }).flatMap(({ nodes }) => nodes).length) {
  throw new Error("the look-up finds something else than trying every template");
}

const query = { status: "online", region: "region 12", tags: ["rack 12"] } as const;
const filterAll = () =>
  described.filter((node) =>
    node.status === query.status && node.location.region === query.region &&
    query.tags.every((tag) => node.tags.includes(tag))
  );
let counted = 0;
const figures = {
  // A thousand at once: one alone would measure the clock.
  count: measure(() => {
    for (let i = 0; i < 1_000; i++) counted += store.size;
  }) / 1_000,
  stats: measure(() => void store.stats()),
  query: measure(() => void store.find(query)),
  query_filtering: measure(() => void filterAll()),
  lookup: measure(() => void registry.lookup({ path })),
  lookup_trying: measure(() => void tryAll()),
  lookup_parameter_first: measure(() => void registry.lookup({ path: "/acme/health", limit: 1 })),
};
if (counted === 0) throw new Error("nothing was counted");
console.log(`${NODES} nodes, ${registry.endpointCount} methods`);
for (const [name, ns] of Object.entries(figures)) {
  console.log(`  ${name.padEnd(24)}${ns.toFixed(0).padStart(10)} ns`);
}
const ratio = (ours: number, theirs: number) => Math.round(ours / theirs * 1e5) / 1e5;
console.log(`RESULT ${
  JSON.stringify({
    ...Object.fromEntries(
      Object.entries(figures).map(([name, ns]) => [`${name}_ns`, Math.round(ns * 10) / 10]),
    ),
    query_ratio: ratio(figures.query, figures.query_filtering),
    lookup_ratio: ratio(figures.lookup, figures.lookup_trying),
    lookup_promise_ratio: ratio(figures.lookup, PROMISED_LOOKUP_NS),
  })
}`);
