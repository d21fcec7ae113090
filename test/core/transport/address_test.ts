import assert from "node:assert/strict";
import fc from "fast-check";
import {
  ADDRESS_BYTES,
  addressKey,
  canonicalHost,
  decodeAddress,
  encodeAddress,
  formatAddress,
  formatHost,
  isIpv6Host,
  parseAddress,
  parseHost,
  withLatestAddress,
} from "../../../src/core/transport/address.ts";

const hosts = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
  // Mostly zeros, so that "::" shows up everywhere.
  fc.array(fc.constantFrom(0, 0, 0, 1), { minLength: 16, maxLength: 16 })
    .map((bytes) => Uint8Array.from(bytes)),
).map(formatHost);
const addresses = fc.record({ host: hosts, port: fc.nat(0xffff) });

Deno.test("parseAddress() gives back what formatAddress() wrote", () => {
  fc.assert(fc.property(addresses, (address) => {
    assert.deepEqual(parseAddress(formatAddress(address)), { ...address });
    assert.equal(canonicalHost(address.host), address.host);
  }));
});

Deno.test("decodeAddress() gives back what encodeAddress() wrote, at any offset", () => {
  fc.assert(fc.property(addresses, fc.nat(9), (address, at) => {
    const encoded = encodeAddress(address);
    assert.equal(encoded.length, ADDRESS_BYTES);
    const bytes = new Uint8Array(at + ADDRESS_BYTES);
    bytes.set(encoded, at);
    assert.deepEqual(decodeAddress(bytes, at), { ...address });
  }));
});

Deno.test("parseAddress() accepts every spelling and makes it canonical", () => {
  const cases = {
    "127.0.0.1:0": ["127.0.0.1", 0],
    "0.0.0.0:65535": ["0.0.0.0", 65535],
    "[::]:1": ["::", 1],
    "[::1]:4000": ["::1", 4000],
    "[0:0:0:0:0:0:0:1]:1": ["::1", 1],
    "[2001:DB8::A]:443": ["2001:db8::a", 443],
    "[2001:0db8:0:0:1:0:0:1]:1": ["2001:db8::1:0:0:1", 1],
    "[1:0:2:3:4:5:6:7]:1": ["1:0:2:3:4:5:6:7", 1],
    "[1::2:3:4:5:6:7]:1": ["1:0:2:3:4:5:6:7", 1],
    "[1::]:1": ["1::", 1],
    "[::ffff:1.2.3.4]:9": ["1.2.3.4", 9],
    "[::ffff:102:304]:9": ["1.2.3.4", 9],
    "[0:0:0:0:0:ffff:1.2.3.4]:9": ["1.2.3.4", 9],
    "[64:ff9b::1.2.3.4]:9": ["64:ff9b::102:304", 9],
  };
  for (const [text, [host, port]] of Object.entries(cases)) {
    assert.deepEqual(parseAddress(text), { host, port }, text);
  }
});

Deno.test("parseAddress() refuses everything else", () => {
  const texts = [
    "",
    ":",
    ":1",
    "1.2.3.4",
    "1.2.3.4:",
    "1.2.3.4:-1",
    "1.2.3.4:65536",
    "1.2.3.4:01",
    "1.2.3.4:1 ",
    " 1.2.3.4:1",
    "1.2.3.4:1\n",
    "1.2.3:1",
    "1.2.3.4.5:1",
    "1.2.3.256:1",
    "01.2.3.4:1",
    "1.2.3.4x:1",
    "localhost:1",
    "[1.2.3.4]:1",
    "::1:4000",
    "[::1]",
    "[::1]4000",
    "[::1:4000",
    "[]:1",
    "[:]:1",
    "[:::]:1",
    "[1::2::3]:1",
    "[1:2:3:4:5:6:7]:1",
    "[1:2:3:4:5:6:7:8:9]:1",
    "[1:2:3:4:5:6:7:8::]:1",
    "[12345::]:1",
    "[g::]:1",
    "[:1::2]:1",
    "[1::2:]:1",
    "[::1.2.3]:1",
    "[1.2.3.4::1]:1",
    "[::1.2.3.4:5]:1",
    "[fe80::1%eth0]:1",
    `[${"0".repeat(50)}::]:1`,
  ];
  for (const text of texts) assert.equal(parseAddress(text), undefined, JSON.stringify(text));
});

Deno.test("parseAddress() takes any text without throwing, in canonical form", () => {
  const texts = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom(..."0123456789abf:.[]%") }),
  );
  fc.assert(fc.property(texts, (text) => {
    const address = parseAddress(text);
    if (address === undefined) return;
    assert.deepEqual(parseAddress(formatAddress(address)), address);
  }));
});

Deno.test("canonicalHost() leaves alone what is no IP address", () => {
  assert.equal(canonicalHost("::FFFF:10.0.0.1"), "10.0.0.1");
  assert.equal(canonicalHost("fe80::1%2"), "fe80::1%2");
  assert.equal(canonicalHost("example"), "example");
});

Deno.test("addressKey() tells addresses apart", () => {
  fc.assert(fc.property(addresses, addresses, (left, right) => {
    const isSame = left.host === right.host && left.port === right.port;
    assert.equal(addressKey(left) === addressKey(right), isSame);
  }));
});

Deno.test("isIpv6Host() and parseHost() agree on the family", () => {
  fc.assert(fc.property(hosts, (host) => {
    assert.equal(parseHost(host)?.length, isIpv6Host(host) ? 16 : 4);
  }));
});

Deno.test("decodeAddress() refuses other families and short bytes", () => {
  const bytes = encodeAddress({ host: "127.0.0.1", port: 50824 });
  assert.equal(bytes.toHex(), "047f000001000000000000000000000000c688");
  assert.equal(decodeAddress(bytes.subarray(0, 18)), undefined);
  assert.equal(decodeAddress(bytes, 1), undefined);
  bytes[0] = 5;
  assert.equal(decodeAddress(bytes), undefined);
});

Deno.test("encodeAddress() refuses names and impossible ports", () => {
  assert.throws(() => encodeAddress({ host: "example", port: 1 }), RangeError);
  assert.throws(() => encodeAddress({ host: "::1", port: 65536 }), RangeError);
  assert.throws(() => encodeAddress({ host: "::1", port: 1.5 }), RangeError);
  assert.throws(() => formatHost(new Uint8Array(5)), RangeError);
});

Deno.test("withLatestAddress() puts the latest first and never forgets the ones it began with", () => {
  const at = (port: number) => ({ host: "10.0.0.1", port });
  let addresses = [at(1), at(2)];
  for (let port = 100; port < 150; port++) {
    addresses = withLatestAddress(addresses, at(port));
    assert.equal(addresses[0]?.port, port);
    assert.ok(addresses.length <= 8);
  }
  assert.deepEqual(addresses.slice(-2), [at(1), at(2)]);
  assert.deepEqual(withLatestAddress(addresses, at(2)).map(({ port }) => port).slice(0, 2), [
    2,
    149,
  ]);
  assert.equal(withLatestAddress(addresses, at(2)).length, 8);
});
