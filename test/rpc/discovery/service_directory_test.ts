import assert from "node:assert/strict";
import { xxh3 } from "../../../src/core/crypto/mod.ts";
import { DISCOVERED_SERVICES_MAX, RpcError, ServiceDirectory } from "../../../src/rpc/mod.ts";
import { createServiceKit, SERVICE } from "../resilience/service_kit.ts";

/** Position that the hash of a number's eight little-endian bytes gives. */
function hashed(value: bigint, count: number): number {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return Number(xxh3(bytes) % BigInt(count));
}

Deno.test("candidates() are ordered by node id, the first by turns", () => {
  const { directory } = createServiceKit([30n, 10n, 20n, 10n]);
  const firsts = Array.from({ length: 4 }, () => directory.candidates(SERVICE)[0]);
  assert.deepEqual(firsts, [10n, 20n, 30n, 10n]);
  assert.deepEqual(directory.candidates(SERVICE), [20n, 30n, 10n]);
});

Deno.test("candidates() counts turns per service, so that calls of others do not skip nodes", () => {
  const { directory } = createServiceKit([1n, 2n]);
  const firsts = ["a", "b", "a", "b"].map((service) => directory.candidates(service)[0]);
  assert.deepEqual(firsts, [1n, 1n, 2n, 2n]);
});

Deno.test("candidates() picks at random by the hash of the counter", () => {
  const nodes = [1n, 2n, 3n, 4n, 5n];
  const { directory } = createServiceKit(nodes);
  for (let counter = 0; counter < 50; counter++) {
    const [first] = directory.candidates(SERVICE, { routing: { kind: "random" } });
    assert.equal(first, nodes[hashed(BigInt(counter), nodes.length)]);
  }
});

Deno.test("candidates() stays with the node that the hash of a key gives", () => {
  const nodes = [1n, 2n, 3n, 4n, 5n];
  const { directory } = createServiceKit(nodes);
  for (const key of [0n, 1n, 77n, 0xffff_ffff_ffff_ffffn]) {
    for (let repeat = 0; repeat < 3; repeat++) {
      const [first] = directory.candidates(SERVICE, { routing: { kind: "sticky", key } });
      assert.equal(first, nodes[hashed(key, nodes.length)]);
    }
  }
});

Deno.test("candidates() prefers the shortest known round trip, and the first while none is known", () => {
  const { directory, mesh } = createServiceKit([1n, 2n, 3n]);
  const routing = { kind: "lowest_latency" } as const;
  assert.deepEqual(directory.candidates(SERVICE, { routing }), [1n, 2n, 3n]);
  mesh.rtt.set(3n, 4).set(2n, 9);
  assert.deepEqual(directory.candidates(SERVICE, { routing }), [3n, 2n, 1n]);
});

Deno.test("candidates() leaves out peers that are given up, unless told not to", () => {
  const { directory, mesh } = createServiceKit([1n, 2n]);
  mesh.failed.add(1n);
  assert.deepEqual(directory.candidates(SERVICE), [2n]);
  assert.equal(directory.candidates(SERVICE, { filterUnhealthy: false }).length, 2);
  mesh.failed.add(2n);
  assert.throws(() => directory.candidates(SERVICE), { kind: "no_route" });
});

Deno.test("candidates() leaves out nodes whose gate keeps this one out", () => {
  const { directory, mesh } = createServiceKit([1n, 2n]);
  mesh.denying.add(1n);
  assert.deepEqual(directory.candidates(SERVICE), [2n]);
});

Deno.test("candidates() names target and capability when all of them keep this node out", () => {
  const { directory, mesh } = createServiceKit([2n, 1n]);
  mesh.denying.add(1n).add(2n);
  try {
    directory.candidates(SERVICE);
    assert.fail("nobody was asked");
  } catch (error) {
    assert.ok(error instanceof RpcError);
    assert.equal(error.kind, "capability_denied");
    assert.equal(error.target, 1n);
    assert.equal(error.capability, `nrpc:${SERVICE}`);
    assert.deepEqual(error.data, {
      kind: "capability_denied",
      target: "0000000000000001",
      capability: `nrpc:${SERVICE}`,
    });
  }
});

Deno.test("candidates() says no_route when nobody offers the service", () => {
  const { directory } = createServiceKit([]);
  assert.throws(() => directory.candidates(SERVICE), { kind: "no_route" });
});

Deno.test("candidates() asks the index again only when its version moved", () => {
  const { directory, mesh } = createServiceKit([1n]);
  directory.candidates(SERVICE);
  directory.candidates(SERVICE);
  assert.equal(mesh.lookups, 1);
  mesh.nodes.push(2n);
  mesh.version += 1;
  assert.equal(directory.candidates(SERVICE).length, 2);
  assert.equal(mesh.lookups, 2);
});

Deno.test("nodesOf() gives all that announce the service, by ascending id", () => {
  const { directory, mesh } = createServiceKit([3n, 1n]);
  mesh.denying.add(1n);
  mesh.failed.add(3n);
  assert.deepEqual(directory.nodesOf(SERVICE), [1n, 3n]);
});

Deno.test("ServiceDirectory keeps so many services and counts those it forgets", () => {
  const directory = new ServiceDirectory({
    nodesOffering: () => [1n],
    mayExecute: () => true,
    version: () => 0,
    isHealthy: () => true,
    roundTripMs: () => undefined,
  });
  for (let index = 0; index < DISCOVERED_SERVICES_MAX + 3; index++) {
    directory.candidates(`s${index}`);
  }
  assert.deepEqual(directory.counters, {
    services: DISCOVERED_SERVICES_MAX,
    services_forgotten: 3,
  });
});
