import assert from "node:assert/strict";
import fc from "fast-check";
import {
  formatIpAddress,
  formatSocketAddress,
  parseIpAddress,
  unmapIpv4,
} from "../../src/base/mod.ts";

/** Mostly zeros, so that "::" shows up everywhere. */
const zeroHeavy = fc.array(fc.oneof(fc.constant(0), fc.nat(255)), { minLength: 16, maxLength: 16 })
  .map((list) => Uint8Array.from(list));
const anyBytes = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
  zeroHeavy,
);

Deno.test("formatIpAddress() writes canonical text that parseIpAddress() reads back", () => {
  fc.assert(fc.property(anyBytes, (bytes) => {
    const text = formatIpAddress(bytes);
    assert.deepEqual(parseIpAddress(text), bytes, text);
    assert.deepEqual(parseIpAddress(text.toUpperCase()), bytes);
    // The engine's own URL parser is the reference for canonical text.
    const inUrl = bytes.length === 16 ? `[${text}]` : text;
    assert.equal(new URL(`http://${inUrl}/`).hostname, inUrl);
  }));
});

Deno.test("formatIpAddress() refuses other lengths", () => {
  for (const length of [0, 3, 5, 15, 17]) {
    assert.throws(() => formatIpAddress(new Uint8Array(length)), RangeError);
  }
});

Deno.test("parseIpAddress() reads every spelling of RFC 4291", () => {
  const same: readonly (readonly [string, string])[] = [
    ["::", "00000000000000000000000000000000"],
    ["::1", "00000000000000000000000000000001"],
    ["1::", "00010000000000000000000000000000"],
    ["0:0:0:0:0:0:0:1", "00000000000000000000000000000001"],
    ["2001:DB8:0:0:8:800:200C:417A", "20010db80000000000080800200c417a"],
    ["2001:db8::8:800:200c:417a", "20010db80000000000080800200c417a"],
    ["::ffff:129.144.52.38", "00000000000000000000ffff81903426"],
    ["1:2:3:4:5:6:1.2.3.4", "00010002000300040005000601020304"],
    ["1:2:3:4:5:6:7::", "00010002000300040005000600070000"],
    ["FFFF:ffff:FFFF:ffff:FFFF:ffff:255.255.255.255", "ff".repeat(16)],
    ["127.0.0.1", "7f000001"],
    ["0.0.0.0", "00000000"],
  ];
  for (const [text, hex] of same) assert.equal(parseIpAddress(text)?.toHex(), hex, text);
});

Deno.test("parseIpAddress() refuses what is no address", () => {
  const wrong = [
    "",
    "1",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "01.2.3.4",
    "1.2.3.-4",
    "1.2.3.4 ",
    "1.2.3.4\n",
    "1.2..4",
    "localhost",
    ":",
    ":::",
    "::::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "::1:2:3:4:5:6:7:8",
    "12345::",
    "g::",
    "::1\n",
    "fe80::1%eth0",
    "[::1]",
    "1.2.3.4::",
    "1.2.3.4::1",
    "::1.2.3.4:5",
    "::1.2.3",
    "1:2:3:4:5:6:7:1.2.3.4",
    ":1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:",
    "0".repeat(50) + "::",
  ];
  for (const text of wrong) assert.equal(parseIpAddress(text), undefined, JSON.stringify(text));
});

Deno.test("parseIpAddress() gives bytes or nothing for arbitrary text", () => {
  const noise = fc.string({ unit: fc.constantFrom(..."0123456789abcdef:.:."), maxLength: 60 });
  fc.assert(fc.property(fc.oneof(noise, fc.string()), (text) => {
    const bytes = parseIpAddress(text);
    if (bytes === undefined) return;
    assert.ok(bytes.length === 4 || bytes.length === 16);
    // What it takes, the reference takes too, and for the same address.
    const inUrl = bytes.length === 16 ? `[${text}]` : text;
    const canonical = formatIpAddress(bytes);
    const expected = bytes.length === 16 ? `[${canonical}]` : canonical;
    assert.equal(new URL(`http://${inUrl}/`).hostname, expected);
  }));
});

Deno.test("unmapIpv4() takes IPv4 out of IPv6 and nothing else", () => {
  fc.assert(fc.property(anyBytes, (bytes) => {
    const isMapped = bytes.length === 16 && bytes.toHex().startsWith("00000000000000000000ffff");
    if (!isMapped) assert.equal(unmapIpv4(bytes), bytes);
    const mapped = new Uint8Array(16);
    mapped.set([0xff, 0xff], 10);
    mapped.set(bytes.subarray(0, 4), 12);
    assert.deepEqual(unmapIpv4(mapped), bytes.slice(0, 4));
  }));
});

Deno.test("formatSocketAddress() puts brackets around IPv6", () => {
  assert.equal(formatSocketAddress({ host: "192.0.2.1", port: 0 }), "192.0.2.1:0");
  assert.equal(formatSocketAddress({ host: "::1", port: 65535 }), "[::1]:65535");
});
