/**
 * Measures what the AuthGuard costs a packet (promise 87: under 10 ns for whoever is allowed), against nested
 * maps of `bigint` ids, in alternation within one run.
 *
 * Run: `deno run -A bench/auth_guard.ts`
 */
import { highHalf, lowHalf } from "../src/base/mod.ts";
import { AuthDomain, AuthGuard, AuthVerdict } from "../src/channel/mod.ts";
import { deriveChannelHash } from "../src/core/crypto/mod.ts";
import { summarize } from "./_summary.ts";

const ROUNDS = 9;
const ROUNDS_WARM_UP = 5;
const CHECKS = 1 << 20;
const CHANNELS = 64;
const PEERS = 64;
/** Packets come from few peers in turn; the table holds all of them. */
const PACKETS = 4_096;

const guard = new AuthGuard();
const sets = new Map<bigint, Set<bigint>>();
const principals = new BigUint64Array(PEERS * 2);
crypto.getRandomValues(principals);
const hashes: bigint[] = [];
for (let number = 0; number < CHANNELS; number++) {
  const name = `bench/${number}`;
  const hash = deriveChannelHash(name);
  hashes.push(hash);
  const members = new Set<bigint>();
  sets.set(hash, members);
  for (const principal of principals.subarray(0, PEERS)) {
    guard.allow(AuthDomain.NodeId, principal, { name, hash });
    members.add(principal);
  }
}

/** Four halves per packet, of peers that are allowed or of others. */
function packetsOf(firstPeer: number): { halves: Uint32Array; ids: bigint[][] } {
  const halves = new Uint32Array(PACKETS * 4);
  const ids: bigint[][] = [];
  for (let packet = 0; packet < PACKETS; packet++) {
    const principal = principals[firstPeer + Math.imul(packet, 37) % PEERS] ?? 0n;
    const hash = hashes[Math.imul(packet, 11) % CHANNELS] ?? 0n;
    halves.set(
      [lowHalf(principal), highHalf(principal), lowHalf(hash), highHalf(hash)],
      packet * 4,
    );
    ids.push([principal, hash]);
  }
  return { halves, ids };
}

const allowed = packetsOf(0);
const strangers = packetsOf(PEERS);

function checkHalves(halves: Uint32Array, expected: AuthVerdict): number {
  let hits = 0;
  for (let i = 0; i < CHECKS; i++) {
    const at = (i & (PACKETS - 1)) * 4;
    const verdict = guard.check(
      AuthDomain.NodeId,
      halves[at] as number,
      halves[at + 1] as number,
      halves[at + 2] as number,
      halves[at + 3] as number,
    );
    if (verdict === expected) hits += 1;
  }
  return hits;
}

function checkSets(ids: readonly bigint[][]): number {
  let hits = 0;
  for (let i = 0; i < CHECKS; i++) {
    const [principal, hash] = ids[i & (PACKETS - 1)] as [bigint, bigint];
    if (sets.get(hash)?.has(principal)) hits += 1;
  }
  return hits;
}

const candidates = {
  allowed: () => checkHalves(allowed.halves, AuthVerdict.Allowed),
  denied: () => checkHalves(strangers.halves, AuthVerdict.Denied),
  bigint_sets: () => checkSets(allowed.ids),
};

const samples = new Map<string, number[]>();
for (let round = -ROUNDS_WARM_UP; round < ROUNDS; round++) {
  for (const [name, run] of Object.entries(candidates)) {
    const start = performance.now();
    const hits = run();
    const nanoseconds = (performance.now() - start) * 1e6 / CHECKS;
    if (hits < CHECKS * 0.9) throw new Error(`Cannot measure ${name}: ${hits} hits of ${CHECKS}`);
    if (round >= 0) samples.set(name, [...samples.get(name) ?? [], nanoseconds]);
  }
}

const result: Record<string, number> = {};
for (const [name, values] of samples) {
  const { median, low, high } = summarize(values);
  console.log(
    `${name.padEnd(14)}${median.toFixed(1)} ns (${low.toFixed(1)} to ${high.toFixed(1)})`,
  );
  result[`auth_${name}_ns`] = Math.round(median * 10) / 10;
}
result["auth_bigint_ratio"] = Math.round(
  summarize(samples.get("allowed") ?? []).median /
    summarize(samples.get("bigint_sets") ?? []).median * 1000,
) / 1000;
console.log(`\nRESULT ${JSON.stringify(result)}`);
