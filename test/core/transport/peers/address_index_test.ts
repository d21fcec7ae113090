import assert from "node:assert/strict";
import fc from "fast-check";
import { hashAddress, isSameAddress } from "../../../../src/core/transport/address.ts";
import { AddressIndex } from "../../../../src/core/transport/peers/address_index.ts";
import type { SocketAddress } from "../../../../src/core/transport/mod.ts";

/** An index over peers of which each has one address. */
function createIndex() {
  const addresses = new Map<number, SocketAddress>();
  const index = new AddressIndex((slot, address) => {
    const own = addresses.get(slot);
    return own !== undefined && isSameAddress(own, address);
  });
  return { addresses, index };
}

const key = ({ host, port }: SocketAddress) => `${host}|${port}`;

Deno.test("AddressIndex is a map of addresses, whatever comes and goes", () => {
  const anyAddress = fc.record({
    host: fc.oneof(fc.nat(60).map((n) => `10.0.0.${n}`), fc.nat(9).map((n) => `2001:db8::${n}`)),
    port: fc.integer({ min: 1, max: 3 }),
  });
  const step = fc.record({ address: anyAddress, isSet: fc.boolean() });
  fc.assert(fc.property(fc.array(step, { maxLength: 400, size: "max" }), (steps) => {
    const { addresses, index } = createIndex();
    const model = new Map<string, number>();
    for (const [slot, { address, isSet }] of steps.entries()) {
      const known = model.get(key(address));
      if (isSet) {
        addresses.set(slot, address);
        index.set(address, slot);
        model.set(key(address), slot);
      } else {
        assert.equal(index.delete(address), known !== undefined);
        model.delete(key(address));
      }
      assert.equal(index.size, model.size);
    }
    for (const { address } of steps) {
      assert.equal(index.get({ ...address }), model.get(key(address)) ?? -1);
    }
  }));
});

Deno.test("AddressIndex grows with ten thousand addresses and finds each", () => {
  const { addresses, index } = createIndex();
  const addressOf = (n: number) => ({ host: `10.1.${n >> 8}.${n & 255}`, port: 4_000 });
  for (let n = 0; n < 10_000; n++) {
    addresses.set(n, addressOf(n));
    index.set(addressOf(n), n);
  }
  for (let n = 0; n < 10_000; n += 2) assert.ok(index.delete(addressOf(n)));
  for (let n = 0; n < 10_000; n++) assert.equal(index.get(addressOf(n)), n % 2 === 0 ? -1 : n);
});

Deno.test("hashAddress() spreads addresses in a row and ports, and follows its seed", () => {
  const buckets = new Set<number>();
  for (let n = 0; n < 1_000; n++) {
    buckets.add(hashAddress({ host: `10.0.${n >> 8}.${n & 255}`, port: 4_000 }) & 0xffff);
    buckets.add(hashAddress({ host: "::1", port: 4_000 + n }) & 0xffff);
  }
  // 2,000 in 65,536 places: about 30 meet another one.
  assert.ok(buckets.size > 1_900, `${buckets.size}`);
  const address = { host: "::1", port: 1 };
  assert.equal(hashAddress(address, 7), hashAddress({ ...address }, 7));
  assert.notEqual(hashAddress(address, 7), hashAddress(address, 8));
});
