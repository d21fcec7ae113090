import assert from "node:assert/strict";
import fc from "fast-check";
import {
  createNativeTarget,
  readSockaddr,
  SourceTable,
} from "../../../../src/core/transport/socket/_linux_sockaddr.ts";
import { addressKey, canonicalHost } from "../../../../src/core/transport/mod.ts";
import type { SocketAddress } from "../../../../src/core/transport/mod.ts";

const port = fc.nat(0xffff);
const ipv4 = fc.record({ host: fc.ipV4(), port }, { noNullPrototype: true });
const ipv6 = fc.record({ host: fc.ipV6().map(canonicalHost), port }, { noNullPrototype: true });

function wordsOf(address: SocketAddress, isIpv6: boolean): Uint32Array {
  const target = createNativeTarget(address, isIpv6);
  assert.ok(target !== undefined);
  return target.words;
}

Deno.test("readSockaddr() gives back what createNativeTarget() was given, in both families", () => {
  fc.assert(fc.property(fc.oneof(ipv4, ipv6), (address) => {
    assert.deepEqual(readSockaddr(wordsOf(address, true), 0), address);
    if (!address.host.includes(":")) {
      assert.deepEqual(readSockaddr(wordsOf(address, false), 0), address);
    }
  }));
});

Deno.test("createNativeTarget() writes what the kernel documents", () => {
  const bytes = (address: SocketAddress, isIpv6: boolean) =>
    new Uint8Array(wordsOf(address, isIpv6).buffer).toHex();
  const address = { host: "1.2.3.4", port: 0x1234 };
  assert.equal(bytes(address, false).slice(0, 16), "0200123401020304");
  assert.equal(bytes(address, true), "0a0012340000000000000000000000000000ffff0102030400000000");
});

Deno.test("createNativeTarget() refuses names, wrong ports and the other family", () => {
  assert.equal(createNativeTarget({ host: "localhost", port: 1 }, true), undefined);
  assert.equal(createNativeTarget({ host: "1.2.3.4", port: 65_536 }, true), undefined);
  assert.equal(createNativeTarget({ host: "::1", port: 1 }, false), undefined);
});

Deno.test("readSockaddr() knows no other family", () => {
  assert.equal(readSockaddr(Uint32Array.of(1, 2, 3, 4, 5, 6, 7), 0), undefined);
  assert.equal(new SourceTable(4, 1).find(Uint32Array.of(1, 2, 3, 4, 5, 6, 7), 0), undefined);
});

Deno.test("SourceTable.find() gives equal sources as the same object, like a map by text", () => {
  fc.assert(fc.property(
    fc.array(fc.oneof(ipv4, ipv6), { minLength: 1, maxLength: 60 }),
    fc.array(fc.nat(1_000), { maxLength: 200 }),
    fc.boolean(),
    (addresses, picks, isLarge) => {
      const table = new SourceTable(isLarge ? 64 : 2, 7);
      const known = new Map<string, SocketAddress>();
      for (const pick of picks) {
        const address = addresses[pick % addresses.length] as SocketAddress;
        const found = table.find(wordsOf(address, true), 0);
        assert.deepEqual(found, address);
        const before = known.get(addressKey(address));
        if (isLarge && before !== undefined) assert.equal(found, before);
        if (found !== undefined) known.set(addressKey(address), found);
      }
    },
  ));
});

Deno.test("SourceTable.find() keeps who keeps sending and forgets the others", () => {
  const table = new SourceTable(16, 3);
  const steady = table.find(wordsOf({ host: "10.0.0.1", port: 1 }, false), 0);
  for (let i = 0; i < 10_000; i++) {
    table.find(wordsOf({ host: `10.1.${i >> 8}.${i & 0xff}`, port: 9 }, false), 0);
    if (i % 8 === 0) {
      assert.equal(table.find(wordsOf({ host: "10.0.0.1", port: 1 }, false), 0), steady);
    }
  }
  assert.ok(table.turnovers > 500);
});
