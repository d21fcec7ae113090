import assert from "node:assert/strict";
import fc from "fast-check";
import {
  blobHeatTag,
  type ChainClaim,
  chainClaimTag,
  chainHeatTag,
  createCapabilitySet,
  excludeChain,
  forkTag,
  fromFork,
  heatLevel,
  parseChainClaim,
  readChainClaims,
  requireAnyChain,
  requireChain,
} from "../../../../src/core/capability/mod.ts";

const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const claim: fc.Arbitrary<ChainClaim> = fc.oneof(
  u64.map((chain): ChainClaim => ({ chain, kind: "presence" })),
  fc.tuple(u64, u64).map(([chain, tip]): ChainClaim => ({ chain, kind: "tip", tip })),
  fc.tuple(u64, u64, u64).filter(([, a, b]) => a !== b).map(([chain, a, b]): ChainClaim => ({
    chain,
    kind: "range",
    start: a < b ? a : b,
    end: a < b ? b : a,
  })),
);

Deno.test("parseChainClaim() reads what chainClaimTag() writes", () => {
  fc.assert(fc.property(claim, (value) => {
    assert.deepEqual(parseChainClaim(chainClaimTag(value)), value);
  }));
  assert.equal(
    chainClaimTag({ chain: 0xabcn, kind: "range", start: 1n, end: 9n }),
    "causal:0000000000000abc[1..9]",
  );
});

Deno.test("parseChainClaim() reads nothing from tags that are not as they must be", () => {
  const name = "causal:0123456789abcdef";
  const wrong = [
    "causal:",
    "causal:abc123",
    "causal:0123456789ABCDEF",
    `${name}:`,
    `${name}:-1`,
    `${name}:18446744073709551616`,
    `${name}:1:2`,
    `${name}0`,
    `${name}[1..1]`,
    `${name}[2..1]`,
    `${name}[1..2`,
    `${name}[1..2]x`,
    `${name}[..2]`,
    `${name}[1...2]`,
    "fork-of:0123456789abcdef",
  ];
  for (const tag of wrong) assert.equal(parseChainClaim(tag), undefined, tag);
  assert.deepEqual(readChainClaims(createCapabilitySet([...wrong, name])), [
    { chain: 0x0123456789abcdefn, kind: "presence" },
  ]);
});

Deno.test("requireChain(), requireAnyChain() and excludeChain() take every form of a claim", () => {
  for (const [kind, rest] of [["presence", {}], ["tip", { tip: 3n }]] as const) {
    const tag = chainClaimTag({ chain: 7n, kind, tip: 3n, ...rest } as ChainClaim);
    const set = createCapabilitySet([tag, "other"]);
    assert.ok(requireChain(set, 7n) && !requireChain(set, 8n));
    assert.ok(requireAnyChain(set, [8n, 7n]) && !requireAnyChain(set, [8n]));
    assert.ok(!requireAnyChain(set, []));
    assert.ok(!excludeChain(set, 7n) && excludeChain(set, 8n));
  }
  const range = chainClaimTag({ chain: 7n, kind: "range", start: 0n, end: 4n });
  assert.ok(requireChain(createCapabilitySet([range]), 7n));
  assert.ok(!requireChain(createCapabilitySet(["causal:00000000000000070"]), 7n));
});

Deno.test("fromFork() finds the parent", () => {
  const set = createCapabilitySet([forkTag(5n)]);
  assert.ok(fromFork(set, 5n) && !fromFork(set, 6n));
});

Deno.test("heatLevel() reads what chainHeatTag() writes, with two decimals", () => {
  const level = (rate: number) => heatLevel(createCapabilitySet([chainHeatTag(9n, rate)]), 9n);
  assert.equal(level(0.456), 0.46);
  assert.equal(level(-3), 0);
  assert.equal(level(Infinity), 1);
  assert.equal(chainHeatTag(9n, 1), "heat:0000000000000009=1.00");
  assert.equal(heatLevel(createCapabilitySet([chainHeatTag(9n, 1)]), 8n), undefined);
  for (const text of ["", "x", "1.5", "-1", "0x1", "1e0"]) {
    assert.equal(heatLevel(createCapabilitySet([`heat:0000000000000009=${text}`]), 9n), undefined);
  }
  assert.throws(() => chainHeatTag(9n, NaN), RangeError);
});

Deno.test("blobHeatTag() takes a whole hash", () => {
  assert.equal(blobHeatTag(new Uint8Array(32), 0.5), `heat:blob:${"00".repeat(32)}=0.50`);
  assert.throws(() => blobHeatTag(new Uint8Array(31), 0.5), RangeError);
});

Deno.test("chainClaimTag() refuses numbers beyond 64 bits and empty ranges", () => {
  const wrong: ChainClaim[] = [
    { chain: -1n, kind: "presence" },
    { chain: 1n << 64n, kind: "presence" },
    { chain: 1n, kind: "tip", tip: 1n << 64n },
    { chain: 1n, kind: "range", start: 2n, end: 2n },
  ];
  for (const value of wrong) assert.throws(() => chainClaimTag(value), RangeError);
});
