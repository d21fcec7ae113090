import assert from "node:assert/strict";
import fc from "fast-check";
import { Fnv64, HashRing, RING_POINTS } from "../../../../src/core/capability/mod.ts";

const MASK = (1n << 64n) - 1n;

/** FNV-1a as its authors write it down. */
function fnvReference(bytes: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & MASK;
  return hash;
}

function fnv(text: string): bigint {
  const { high, low } = new Fnv64().text(text);
  return (BigInt(high) << 32n) | BigInt(low);
}

const bytesOf = (text: string) => new TextEncoder().encode(text);
const id = (n: number) => new Uint8Array(32).map((_, i) => i < 4 ? n >>> (8 * i) : i);

/** The ring without any cleverness. */
function findReference(owners: readonly number[], key: string): number | undefined {
  const points = owners.flatMap((owner) =>
    Array.from({ length: RING_POINTS }, (_, i) => {
      const print = `[${[...id(owner)].join(", ")}]-${i}`;
      return { hash: fnvReference(bytesOf(print)), owner };
    })
  ).sort((left, right) => left.hash < right.hash ? -1 : 1);
  const hash = fnvReference(bytesOf(key));
  return (points.find((point) => point.hash >= hash) ?? points[0])?.owner;
}

function ringOf(...owners: readonly number[]): HashRing {
  const ring = new HashRing();
  ring.add(owners.map((owner) => [owner, id(owner)]));
  return ring;
}

const everyone = () => true;

Deno.test("Fnv64 is FNV-1a of 64 bits", () => {
  assert.equal(fnv(""), 0xcbf29ce484222325n);
  assert.equal(fnv("a"), 0xaf63dc4c8601ec8cn);
  assert.equal(fnv("foobar"), 0x85944171f73967e8n);
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => {
    assert.equal(fnv(text), fnvReference(bytesOf(text)));
  }));
});

Deno.test("find() gives the first point at or after the key's hash", () => {
  const owners = [3, 900, 70_000, 5];
  const ring = ringOf(...owners);
  assert.equal(ring.size, owners.length * RING_POINTS);
  for (let i = 0; i < 60; i++) {
    assert.equal(ring.find(`key ${i}`, everyone), findReference(owners, `key ${i}`));
  }
});

Deno.test("add() one by one, in any order, makes the same ring", () => {
  const owners = Array.from({ length: 40 }, (_, i) => i);
  const whole = ringOf(...owners);
  fc.assert(
    fc.property(fc.shuffledSubarray(owners, { minLength: owners.length }), (shuffled) => {
      const ring = new HashRing();
      for (const owner of shuffled) ring.add([[owner, id(owner)]]);
      for (let i = 0; i < 50; i++) {
        assert.equal(ring.find(`k${i}`, everyone), whole.find(`k${i}`, everyone));
      }
    }),
    { numRuns: 10 },
  );
});

Deno.test("remove() moves the keys of whoever went, and no others", () => {
  const owners = Array.from({ length: 12 }, (_, i) => i);
  const before = ringOf(...owners);
  const after = ringOf(...owners);
  after.remove(4);
  let moved = 0;
  for (let i = 0; i < 5_000; i++) {
    const was = before.find(`key-${i}`, everyone);
    const is = after.find(`key-${i}`, everyone);
    assert.notEqual(is, 4);
    if (was === 4) moved += 1;
    else assert.equal(is, was);
  }
  assert.ok(moved > 0, `${moved} moved`);
  // Whoever is not acceptable is passed over in the same way.
  for (let i = 0; i < 500; i++) {
    const is = before.find(`key-${i}`, (owner) => owner !== 4);
    assert.equal(is, after.find(`key-${i}`, everyone));
  }
});

Deno.test("find() leaves nobody out", () => {
  const ring = ringOf(...Array.from({ length: 10 }, (_, i) => i));
  const counts = new Map<number, number>();
  for (let i = 0; i < 20_000; i++) {
    const owner = ring.find(`${(i * 2_654_435_761) >>> 0}/session`, everyone) ?? -1;
    counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  assert.equal(counts.size, 10);
  // Shares are as uneven as the hash; nobody has five times what is even.
  for (const count of counts.values()) assert.ok(count < 10_000, `${count}`);
});

Deno.test("find() finds nobody on an empty ring, or where nobody is acceptable", () => {
  assert.equal(new HashRing().find("a", everyone), undefined);
  assert.equal(ringOf(1).find("a", () => false), undefined);
});
