import assert from "node:assert/strict";
import fc from "fast-check";
import { formatSocketAddress } from "../../src/base/mod.ts";
import {
  parseDuration,
  parseFamily,
  parseHost,
  parseHostPort,
  parseLabel,
  parseListen,
  parsePeer,
  parsePort,
  parseSubnetRule,
} from "../../src/config/mod.ts";

Deno.test("parsePort() takes 0..65535 in decimal and nothing else", () => {
  assert.equal(parsePort("0"), 0);
  assert.equal(parsePort("65535"), 65535);
  for (const text of ["", "65536", "-1", "+1", "1.0", "0x10", " 1", "1e3", "999999"]) {
    assert.equal(parsePort(text), undefined, text);
  }
});

Deno.test("parseHost() makes addresses canonical and refuses names", () => {
  assert.equal(parseHost("127.0.0.1"), "127.0.0.1");
  assert.equal(parseHost("localhost"), "127.0.0.1");
  assert.equal(parseHost("*"), "0.0.0.0");
  assert.equal(parseHost("[::1]"), "::1");
  assert.equal(parseHost("0:0:0:0:0:0:0:1"), "::1");
  assert.equal(parseHost("FE80::1"), "fe80::1");
  assert.equal(parseHost("::ffff:10.0.0.1"), "10.0.0.1");
  for (
    const text of [
      "",
      "example.org",
      "1.2.3",
      "1.2.3.256",
      "01.2.3.4",
      "fe80::1%eth0",
      "[",
      "::g",
      "[1.2.3.4]",
    ]
  ) {
    assert.equal(parseHost(text), undefined, text);
  }
});

Deno.test("parseHostPort() and formatSocketAddress() are inverse", () => {
  const host = fc.oneof(
    fc.ipV4(),
    fc.ipV6().map((text) => parseHost(text)).filter((text) => text !== undefined),
  );
  fc.assert(fc.property(host, fc.integer({ min: 0, max: 65535 }), (host, port) => {
    assert.deepEqual(parseHostPort(formatSocketAddress({ host, port })), { host, port });
  }));
});

Deno.test("parseHostPort() needs brackets around IPv6 and a port", () => {
  for (const text of ["::1:80", "127.0.0.1", ":80", "127.0.0.1:", "[::1]", "a:b:c"]) {
    assert.equal(parseHostPort(text), undefined, text);
  }
});

Deno.test("parseListen() takes a port alone", () => {
  assert.deepEqual(parseListen("7000"), { host: "0.0.0.0", port: 7000 });
  assert.deepEqual(parseListen(":7000"), { host: "0.0.0.0", port: 7000 });
  assert.deepEqual(parseListen("[::]:7000"), { host: "::", port: 7000 });
  assert.equal(parseListen("::7000"), undefined);
});

Deno.test("parseDuration() knows its units and its bound", () => {
  assert.equal(parseDuration("250ms"), 250);
  assert.equal(parseDuration("1.5s"), 1500);
  assert.equal(parseDuration("2m"), 120_000);
  assert.equal(parseDuration("1h"), 3_600_000);
  assert.equal(parseDuration("7d"), 604_800_000);
  assert.equal(parseDuration("5"), 5000);
  for (const text of ["", "s", "-1s", "1 s", "31d", "1w", "1e3s", ".5s"]) {
    assert.equal(parseDuration(text), undefined, text);
  }
});

Deno.test("parseFamily() keeps names out of paths", () => {
  assert.equal(parseFamily("fam_1-A"), "fam_1-A");
  for (const text of ["", "default", "standalone"]) assert.equal(parseFamily(text), "");
  for (const text of ["../x", "a/b", "a.b", "a b", "x".repeat(33), "é", "a\n"]) {
    assert.equal(parseFamily(text), undefined, text);
  }
});

Deno.test("parsePeer() takes address, node id and key apart", () => {
  const key = "ab".repeat(32);
  assert.deepEqual(parsePeer(`10.0.0.1:7000#00000000000000ff#${key}`), {
    address: { host: "10.0.0.1", port: 7000 },
    nodeId: 255n,
    noisePublicKey: new Uint8Array(32).fill(0xab),
  });
  for (
    const text of [
      `10.0.0.1:0#00000000000000ff#${key}`,
      `10.0.0.1:7000#zz#${key}`,
      `10.0.0.1:7000#00000000000000ff#${key}00`,
      `10.0.0.1:7000#00000000000000ff#${key}#x`,
      `10.0.0.1:7000#00000000000000ff`,
      "",
    ]
  ) assert.equal(parsePeer(text), undefined, text);
});

Deno.test("parseLabel() bounds bytes and refuses control characters", () => {
  assert.equal(parseLabel(" kitchen "), "kitchen");
  assert.equal(parseLabel("é".repeat(32)), "é".repeat(32));
  for (const text of ["", "  ", "é".repeat(33), "a\u001b[2J"]) {
    assert.equal(parseLabel(text), undefined, text);
  }
});

Deno.test("parseSubnetRule() reads prefix, level and numbers by name", () => {
  assert.deepEqual(parseSubnetRule("region:=0:eu=1,us=255"), {
    tagPrefix: "region:",
    level: 0,
    values: new Map([["eu", 1], ["us", 255]]),
  });
  // The prefix may hold what stands between the parts, and so may a name.
  assert.deepEqual(parseSubnetRule("software.site==3:a=b=7"), {
    tagPrefix: "software.site=",
    level: 3,
    values: new Map([["a=b", 7]]),
  });
  for (
    const text of [
      "",
      "region:",
      "region:=0:",
      "=0:eu=1",
      "region:=4:eu=1",
      "region:=0:eu=0",
      "region:=0:eu=256",
      "region:=0:eu=01",
      "region:=0:=1",
      "region:=0:eu",
      "region:=0:eu=1,",
      "region:=0:eu=1,eu=2",
      `region:=0:${"a".repeat(16_384)}=1`,
    ]
  ) assert.equal(parseSubnetRule(text), undefined, text);
});

Deno.test("every parser returns on any text", () => {
  const parsers = [
    parsePort,
    parseHost,
    parseHostPort,
    parseListen,
    parseDuration,
    parseFamily,
    parsePeer,
    parseLabel,
    parseSubnetRule,
  ];
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    for (const parse of parsers) parse(text);
  }));
});
