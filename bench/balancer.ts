/**
 * Measures picks of the load balancer: every strategy over 10, 100 and 1,000 endpoints, and the hash ring
 * against the ring inside of the Rust core, asked through its addon in alternation within one run.
 *
 * For reference: the release notes name about 340 ns for a pick and 39.8 µs for one by key
 * (`promises.md` Q5). Of the core's time here some 1,000 to 2,000 ns are the call into the addon; the row
 * `round_robin` shows them. Times are ours/theirs, so lower is better.
 *
 * Run: `deno run -A bench/balancer.ts`
 */
import {
  BALANCING_STRATEGIES,
  type BalancingStrategy,
  LoadBalancer,
} from "../src/core/capability/mod.ts";
import { startBalancerPeer } from "../test/interop/balancer_peer.ts";
import { rustPeerSkipReason } from "../test/interop/rust_peer.ts";
import { summarize, type Summary } from "./_summary.ts";

const ROUNDS = 9;
const SLICE_MS = 15;
const MEMBERS = 4;
const PEER_CALLS = 2_000;
/** What the release notes name, in nanoseconds. */
const PROMISED_PICK_NS = 340;
const PROMISED_HASH_NS = 39_800;

const METRICS = { cpu: 0, memory: 0.4, connections: 20, responseMs: 30, errors: 0, queued: 1 };
const keys = Array.from({ length: 1_024 }, () => crypto.randomUUID());

function balancerOf(strategy: BalancingStrategy, endpoints: number): LoadBalancer {
  const balancer = new LoadBalancer(
    { clock: { now: () => performance.now() }, random: Math.random },
    { strategy },
  );
  for (let i = 0; i < endpoints; i++) {
    balancer.add({ nodeId: BigInt(i), health: "healthy", weight: 50 + i % 100 });
    balancer.setMetrics(BigInt(i), { ...METRICS, cpu: i % 7 / 10 });
  }
  return balancer;
}

/** Nanoseconds of one pick and the end of its call. */
function measure(balancer: LoadBalancer, isKeyed: boolean): number {
  let count = 0;
  const start = performance.now();
  let elapsed = 0;
  while (elapsed < SLICE_MS) {
    for (let i = 0; i < 256; i++, count++) {
      const selection = balancer.select(isKeyed ? { routingKey: keys[count & 1_023] } : undefined);
      if (selection.ok) selection.lease.succeed();
    }
    elapsed = performance.now() - start;
  }
  return elapsed * 1e6 / count;
}

function figureOf(balancer: LoadBalancer, isKeyed: boolean): Summary {
  for (let i = 0; i < 5; i++) measure(balancer, isKeyed);
  return summarize(Array.from({ length: ROUNDS }, () => measure(balancer, isKeyed)));
}

function print(name: string, { median, low, high }: Summary, more = ""): void {
  const spread = `${low.toFixed(0)}..${high.toFixed(0)}`;
  console.log(
    `  ${name.padEnd(28)}${median.toFixed(0).padStart(8)} ns  ${spread.padEnd(16)}${more}`,
  );
}

const result: Record<string, number> = {};
for (const endpoints of [10, 100, 1_000]) {
  console.log(`\n${endpoints} endpoints, pick and end of the call`);
  for (const strategy of BALANCING_STRATEGIES) {
    const isKeyed = strategy === "consistent_hash";
    const figure = figureOf(balancerOf(strategy, endpoints), isKeyed);
    const promised = isKeyed ? PROMISED_HASH_NS : PROMISED_PICK_NS;
    print(strategy, figure, `${(figure.median / promised).toFixed(2)} of the promised time`);
    result[`${strategy}_${endpoints}_ns`] = Math.round(figure.median);
    if (endpoints === 100) result[`${strategy}_promise_ratio`] = round(figure.median / promised);
  }
}

{
  const samples = Array.from({ length: ROUNDS }, () => {
    const balancer = balancerOf("consistent_hash", 1_000);
    const start = performance.now();
    balancer.select({ routingKey: "first" });
    return performance.now() - start;
  });
  result.ring_build_1000_ms = round(summarize(samples).median);
  console.log(`\nring of 1,000 endpoints built in ${result.ring_build_1000_ms} ms`);
}

const reason = rustPeerSkipReason();
if (reason !== undefined) console.log(`\nno figures of the core: ${reason}`);
else {
  await using peer = startBalancerPeer();
  console.log(`\n${MEMBERS} members, against the core through its addon`);
  const rows = [["round_robin", "round-robin"], ["consistent_hash", "consistent-hash"]] as const;
  for (const [strategy, theirs] of rows) {
    const isKeyed = strategy === "consistent_hash";
    const seed = new Uint8Array(32).fill(isKeyed ? 1 : 2);
    const { group } = await peer.call("spawn", { members: MEMBERS, seed, strategy: theirs });
    const balancer = balancerOf(strategy, MEMBERS);
    const ours: number[] = [];
    const core: number[] = [];
    for (let round = -3; round < ROUNDS; round++) {
      const mine = measure(balancer, isKeyed);
      const key = isKeyed ? keys[0] : undefined;
      const other = await peer.call("time", { group, count: PEER_CALLS, key });
      if (round < 0) continue;
      ours.push(mine);
      core.push(other);
    }
    const [mine, other] = [summarize(ours), summarize(core)];
    print(`${strategy}, ours`, mine);
    print(`${strategy}, core`, other, `x${(other.median / mine.median).toFixed(1)}`);
    result[`${strategy}_core_ns`] = Math.round(other.median);
    result[`${strategy}_core_ratio`] = round(mine.median / other.median);
  }
}
console.log(`\nRESULT ${JSON.stringify(result)}`);

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
