import assert from "node:assert/strict";
import fc from "fast-check";
import { highHalf, lowHalf } from "../../src/base/mod.ts";
import { filterMarks } from "../../src/channel/_auth_filter.ts";
import {
  type AuthChannel,
  AuthDomain,
  AuthGuard,
  AuthVerdict,
} from "../../src/channel/auth_guard.ts";
import { deriveChannelHash, xxh3 } from "../../src/core/crypto/mod.ts";

const NODE = AuthDomain.NodeId;
const id = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
const domain = fc.constantFrom<AuthDomain>(AuthDomain.NodeId, AuthDomain.OriginHash);

function channel(name: string): AuthChannel {
  return { name, hash: deriveChannelHash(name) };
}

function check(guard: AuthGuard, domain: AuthDomain, principal: bigint, hash: bigint) {
  return guard.check(
    domain,
    lowHalf(principal),
    highHalf(principal),
    lowHalf(hash),
    highHalf(hash),
  );
}

function isAllowed(guard: AuthGuard, domain: AuthDomain, principal: bigint, name: string) {
  return guard.isAllowed(domain, lowHalf(principal), highHalf(principal), name);
}

/** Marks of an entry by the reference: XXH3-64 over 17 bytes. */
function referenceMarks(domain: number, principal: bigint, hash: bigint): number {
  const view = new DataView(new ArrayBuffer(17));
  view.setBigUint64(0, principal, true);
  view.setBigUint64(8, hash, true);
  view.setUint8(16, domain);
  return Number(xxh3(new Uint8Array(view.buffer)) & 0x3fff_ffffn);
}

Deno.test("filterMarks() equals XXH3-64 of the 17 bytes", () => {
  fc.assert(
    fc.property(id, id, fc.integer({ min: 0, max: 255 }), (principal, hash, domain) => {
      assert.equal(
        filterMarks(
          domain,
          lowHalf(principal),
          highHalf(principal),
          lowHalf(hash),
          highHalf(hash),
        ),
        referenceMarks(domain, principal, hash),
      );
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("check() allows what was allowed, in its domain only", () => {
  const guard = new AuthGuard();
  const lab = channel("lab/x");
  assert.equal(check(guard, NODE, 7n, lab.hash), AuthVerdict.Denied);
  assert.equal(guard.allow(NODE, 7n, lab), true);
  assert.equal(guard.allow(NODE, 7n, lab), true);
  assert.equal(guard.size, 1);
  assert.equal(check(guard, NODE, 7n, lab.hash), AuthVerdict.Allowed);
  assert.equal(check(guard, AuthDomain.OriginHash, 7n, lab.hash), AuthVerdict.Denied);
  assert.equal(isAllowed(guard, AuthDomain.OriginHash, 7n, lab.name), false);
  assert.equal(check(guard, NODE, 8n, lab.hash), AuthVerdict.Denied);
});

Deno.test("check() sends a hit of the filter alone to the exact check", () => {
  const guard = new AuthGuard();
  for (let i = 0n; i < 20_000n; i++) guard.allow(NODE, i * 0x9e37_79b9_7f4a_7c15n, channel("a"));
  let unsure = 0;
  for (let i = 1n; i <= 1_000n; i++) {
    const verdict = check(guard, NODE, i, channel("b").hash);
    assert.notEqual(verdict, AuthVerdict.Allowed);
    if (verdict === AuthVerdict.NeedsFullCheck) {
      unsure += 1;
      assert.equal(isAllowed(guard, NODE, i, "b"), false);
    }
  }
  // 1 - e^(-40,000 / 32,768) of the bits are set, 70 %; both of a pair are in about half of the cases.
  assert.ok(unsure > 400 && unsure < 600, `${unsure} of 1,000`);
});

Deno.test("isAllowed() keeps two names with one hash apart", () => {
  const guard = new AuthGuard();
  const [one, other] = [{ name: "one", hash: 5n }, { name: "other", hash: 5n }];
  guard.allow(NODE, 7n, one);
  assert.equal(isAllowed(guard, NODE, 7n, "other"), false);
  guard.allow(NODE, 7n, other);
  assert.equal(guard.revoke(NODE, 7n, "one"), true);
  assert.equal(isAllowed(guard, NODE, 7n, "one"), false);
  assert.equal(check(guard, NODE, 7n, 5n), AuthVerdict.Allowed);
  assert.equal(guard.revoke(NODE, 7n, "other"), true);
  assert.equal(check(guard, NODE, 7n, 5n), AuthVerdict.Denied);
});

Deno.test("revoke() leaves no bit of the filter behind", () => {
  const guard = new AuthGuard();
  guard.allow(NODE, 7n, channel("lab/x"));
  assert.ok(guard.filterBitsSet > 0);
  assert.equal(guard.revoke(NODE, 7n, "lab/x"), true);
  assert.equal(guard.revoke(NODE, 7n, "lab/x"), false);
  assert.equal(guard.filterBitsSet, 0);
  assert.equal(check(guard, NODE, 7n, channel("lab/x").hash), AuthVerdict.Denied);
});

Deno.test("revokeAll() and revokeChannel() take back what they say and nothing else", () => {
  const guard = new AuthGuard();
  for (const name of ["a", "b"]) {
    for (const principal of [1n, 2n, 3n]) guard.allow(NODE, principal, channel(name));
    guard.allow(AuthDomain.OriginHash, 1n, channel(name));
  }
  guard.revokeAll(NODE, 1n);
  assert.equal(isAllowed(guard, NODE, 1n, "a"), false);
  assert.equal(isAllowed(guard, AuthDomain.OriginHash, 1n, "a"), true);
  guard.revokeChannel("b");
  assert.equal(isAllowed(guard, NODE, 2n, "b"), false);
  assert.equal(isAllowed(guard, AuthDomain.OriginHash, 1n, "b"), false);
  assert.equal(isAllowed(guard, NODE, 2n, "a"), true);
  assert.equal(guard.size, 3);
});

Deno.test("allow() refuses and counts what there is no room for", () => {
  const guard = new AuthGuard(2);
  assert.equal(guard.allow(NODE, 1n, channel("a")), true);
  assert.equal(guard.allow(NODE, 2n, channel("a")), true);
  assert.equal(guard.allow(NODE, 3n, channel("a")), false);
  assert.equal(guard.allow(NODE, 2n, channel("a")), true);
  assert.equal(check(guard, NODE, 3n, channel("a").hash), AuthVerdict.Denied);
  assert.equal(guard.counters.drop_full_total, 1);
  guard.revoke(NODE, 1n, "a");
  assert.equal(guard.allow(NODE, 3n, channel("a")), true);
});

Deno.test("AuthGuard agrees with plain sets over any history, filter included", () => {
  const step = fc.record({
    isAllow: fc.boolean(),
    domain,
    principal: fc.bigInt({ min: 0n, max: 20n }).map((n) => n * 0x1_0000_0001n),
    name: fc.constantFrom("a", "b", "c", "d", "same1", "same2"),
  });
  const hashOf = (name: string) => name.startsWith("same") ? 99n : deriveChannelHash(name);
  fc.assert(fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
    const guard = new AuthGuard();
    const expected = new Map<string, (typeof steps)[number]>();
    for (const one of steps) {
      const key = `${one.domain} ${one.principal} ${one.name}`;
      if (one.isAllow) {
        guard.allow(one.domain, one.principal, { name: one.name, hash: hashOf(one.name) });
        expected.set(key, one);
      } else {
        const { domain, principal, name } = one;
        assert.equal(guard.revoke(domain, principal, name), expected.delete(key));
      }
    }
    assert.equal(guard.size, expected.size);
    const bits = new Set<number>();
    for (const { domain, principal, name } of expected.values()) {
      const marks = referenceMarks(domain, principal, hashOf(name));
      bits.add(marks & 0x7fff).add(marks >>> 15);
      assert.equal(isAllowed(guard, domain, principal, name), true);
      assert.equal(check(guard, domain, principal, hashOf(name)), AuthVerdict.Allowed);
    }
    assert.equal(guard.filterBitsSet, bits.size);
    for (const { domain, principal, name } of steps) {
      const key = `${domain} ${principal} ${name}`;
      assert.equal(isAllowed(guard, domain, principal, name), expected.has(key));
    }
  }));
});
