import assert from "node:assert/strict";
import fc from "fast-check";
import { formatIpAddress, parseIpAddress } from "../../../src/core/crypto/_ip_address.ts";

Deno.test("formatIpAddress() writes canonical text that parseIpAddress() reads back", () => {
  const zeroHeavy = fc.array(fc.oneof(fc.constant(0), fc.nat(255)), {
    minLength: 16,
    maxLength: 16,
  }).map((list) => Uint8Array.from(list));
  const anyAddress = fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), zeroHeavy);
  fc.assert(fc.property(anyAddress, (bytes) => {
    const text = formatIpAddress(bytes);
    assert.deepEqual(parseIpAddress(text), bytes, text);
    assert.deepEqual(parseIpAddress(text.toUpperCase()), bytes);
    // The engine's own URL parser is the reference for canonical text, but for the dotted tail.
    if (bytes.length === 16) assert.equal(new URL(`http://[${text}]/`).hostname, `[${text}]`);
    else assert.equal(new URL(`http://${text}/`).hostname, text);
  }));
});

Deno.test("parseIpAddress() reads every spelling of RFC 4291", () => {
  const same: readonly (readonly [string, string])[] = [
    ["::", "00000000000000000000000000000000"],
    ["::1", "00000000000000000000000000000001"],
    ["1::", "00010000000000000000000000000000"],
    ["2001:DB8:0:0:8:800:200C:417A", "20010db80000000000080800200c417a"],
    ["2001:db8::8:800:200c:417a", "20010db80000000000080800200c417a"],
    ["::ffff:129.144.52.38", "00000000000000000000ffff81903426"],
    ["1:2:3:4:5:6:1.2.3.4", "00010002000300040005000601020304"],
    ["1:2:3:4:5:6:7::", "00010002000300040005000600070000"],
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
    "localhost",
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "::1:2:3:4:5:6:7:8",
    "12345::",
    "g::",
    "fe80::1%eth0",
    "[::1]",
    "1.2.3.4::",
    "::1.2.3.4:5",
    "::1.2.3",
    ":1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:",
  ];
  for (const text of wrong) assert.equal(parseIpAddress(text), undefined, text);
});

Deno.test("parseIpAddress() gives bytes or nothing for arbitrary text", () => {
  const noise = fc.string({ unit: fc.constantFrom(..."0123456789abcdef:.:."), maxLength: 60 });
  fc.assert(fc.property(fc.oneof(noise, fc.string()), (text) => {
    const bytes = parseIpAddress(text);
    assert.ok(bytes === undefined || bytes.length === 4 || bytes.length === 16);
  }));
});
