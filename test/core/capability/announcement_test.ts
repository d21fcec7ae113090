import assert from "node:assert/strict";
import fc from "fast-check";
import { NetError } from "../../../src/base/mod.ts";
import {
  type Announcement,
  announcementTranscript,
  decodeAnnouncement,
  encodeAnnouncement,
  forwardAnnouncement,
  localAnnouncement,
  verifyAnnouncement,
} from "../../../src/core/capability/mod.ts";
import { anyOptions, bytesOfText, identityOf, sample, textOfBytes, WALL_MS } from "./samples.ts";

function decode(text: string): Announcement {
  const decoded = decodeAnnouncement(bytesOfText(text));
  assert.ok(decoded.ok, decoded.ok ? "" : decoded.fault);
  return decoded.announcement;
}

function faultOf(text: string): string | undefined {
  const decoded = decodeAnnouncement(bytesOfText(text));
  return decoded.ok ? undefined : decoded.fault;
}

const wire = (announcement: Announcement) => textOfBytes(encodeAnnouncement(announcement));

Deno.test("decodeAnnouncement() gives back what was announced", () => {
  const identity = identityOf(2);
  fc.assert(
    fc.property(anyOptions, (options) => {
      const announcement = localAnnouncement({ identity, ...options });
      const decoded = decode(wire(announcement));
      assert.deepEqual(decoded, announcement);
      assert.equal(verifyAnnouncement(decoded), undefined);
    }),
    { numRuns: 50 },
  );
});

Deno.test("encodeAnnouncement() writes members in order and leaves the empty ones out", () => {
  const unsigned = { ...sample(), signature: undefined };
  assert.equal(
    wire(unsigned),
    `{"node_id":${unsigned.nodeId},"entity_id":"${unsigned.entityId.toHex()}","version":5,` +
      `"timestamp_ns":${WALL_MS}000000,"ttl_secs":300,` +
      `"capabilities":{"tags":["gpu","hardware.memory_gb=64"],"metadata":{}}}`,
  );
  assert.deepEqual(announcementTranscript(sample()), encodeAnnouncement(unsigned));
});

Deno.test("decodeAnnouncement() puts in order what the wire has in another", () => {
  const announcement = sample({ tags: ["a", "b"], metadata: [["k", "2"]] });
  const members = Object.entries({
    signature: `"${announcement.signature?.toHex().toUpperCase()}"`,
    unknown: '{"node_id":[7,{"a":"\\""}]}',
    capabilities: '{ "x":null, "metadata":{"k":"1","k":"2"}, "tags":["b","\\u0061","b"] }',
    reflex_addr: "null",
    ttl_secs: "300",
    timestamp_ns: `${announcement.timestampNs}`,
    version: "5",
    allowed_nodes: "[]",
    entity_id: `"${announcement.entityId.toHex().toUpperCase()}"`,
    hop_count: "255",
    node_id: `${announcement.nodeId}`,
    owner_cert: "null",
  });
  const text = ` {\n${members.map(([name, value]) => `"${name}" : ${value}`).join(",\t")} } `;
  const decoded = decode(text);
  assert.deepEqual(decoded, { ...announcement, hopCount: 255 });
  assert.equal(verifyAnnouncement(decoded), undefined);
});

Deno.test("decodeAnnouncement() reads absent capability members as empty", () => {
  for (const form of ["{}", '{"tags":[]}', '{"metadata":{}}']) {
    const text = wire(sample({ tags: [] })).replace('{"tags":[],"metadata":{}}', form);
    assert.equal(verifyAnnouncement(decode(text)), undefined, form);
  }
});

Deno.test("decodeAnnouncement() refuses what the reference refuses", () => {
  const good = wire(sample());
  const broken: Readonly<Record<string, readonly [string, string]>> = {
    "a known member twice": ['"ttl_secs":300', '"ttl_secs":300,"ttl_secs":300'],
    "tags twice": ['"metadata":{}', '"metadata":{},"tags":[]'],
    "a hop count of null": ['"signature"', '"hop_count":null,"signature"'],
    "a hop count with a fraction": ['"signature"', '"hop_count":1.0,"signature"'],
    "a hop count above 255": ['"signature"', '"hop_count":256,"signature"'],
    "a list of null": ['"signature"', '"allowed_nodes":null,"signature"'],
    "a negative version": ['"version":5', '"version":-5'],
    "a version above 64 bits": ['"version":5', '"version":18446744073709551616'],
    "a time to live above 32 bits": ['"ttl_secs":300', '"ttl_secs":4294967296'],
    "an empty tag": ['"gpu"', '"gpu",""'],
    "a tag that is no text": ['"gpu"', '"gpu",1'],
    "half a surrogate pair": ['"gpu"', '"gpu\\ud834"'],
    "metadata that is no text": ['"metadata":{}', '"metadata":{"a":null}'],
    "a short entity": ['"entity_id":"', '"entity_id":"","x":"'],
    "a short signature": ['"signature":"', '"signature":"00","x":"'],
    "an address that is none": ['"signature"', '"reflex_addr":"localhost:1","signature"'],
    "a short subnet": ['"signature"', '"allowed_subnets":[[1,2]],"signature"'],
    "a long subnet": ['"signature"', `"allowed_subnets":[[${Array(17).fill(0)}]],"signature"`],
    "a group that is no bytes": [
      '"signature"',
      `"allowed_groups":[[${Array(32).fill(256)}]],"signature"`,
    ],
  };
  for (const [name, [from, to]] of Object.entries(broken)) {
    assert.notEqual(good.replace(from, to), good, name);
    assert.equal(faultOf(good.replace(from, to)), "malformed", name);
  }
  for (const text of [`${good}x`, `\ufeff${good}`, "", "[]", "null", good.slice(0, -1)]) {
    assert.equal(faultOf(text), "malformed", text);
  }
  assert.equal(faultOf(good.replace(/"timestamp_ns":\d+,/, "")), "missing_member");
  const nodes = Array.from({ length: 65 }, (_, index) => index);
  assert.equal(faultOf(good.replace(/}$/, `,"allowed_nodes":[${nodes}]}`)), "allow_list");
  assert.equal(faultOf(" ".repeat(8104) + good), "too_long");
  const invalid = decodeAnnouncement(new Uint8Array([0x7b, 0x22, 0xff, 0x22]));
  assert.deepEqual(invalid, { ok: false, fault: "malformed" });
});

Deno.test("decodeAnnouncement() prints addresses as the reference does", () => {
  const printed: Readonly<Record<string, string>> = {
    "1.2.3.4:0080": "1.2.3.4:80",
    "[::FFFF:102:304]:80": "[::ffff:1.2.3.4]:80",
    "[::1.2.3.4]:80": "[::102:304]:80",
    "[2001:DB8:0:0:1:0:0:1]:1": "[2001:db8::1:0:0:1]:1",
    "[fe80::1%3]:80": "[fe80::1%3]:80",
    "[fe80::1%0]:80": "[fe80::1]:80",
    "1.2.3.4:0": "1.2.3.4:0",
  };
  for (const [text, canonical] of Object.entries(printed)) {
    const end = `,"reflex_addr":"${text}"}`;
    assert.equal(decode(wire(sample()).replace(/}$/, end)).reflexAddress, canonical);
  }
  for (
    const text of ["1.2.3.4", "1.2.3.4:65536", "[1.2.3.4]:1", "::1:80", "[fe80::1%x]:1", "a:1"]
  ) {
    assert.equal(faultOf(wire(sample()).replace(/}$/, `,"reflex_addr":"${text}"}`)), "malformed");
  }
});

Deno.test("decodeAnnouncement() carries an owner's certificate through, signed", () => {
  const identity = identityOf(1);
  const unsigned = wire({ ...sample(), signature: undefined });
  const transcript = unsigned.replace(/}$/, ',"owner_cert":{"a":[1,"}"]}}');
  const signature = identity.sign(bytesOfText(transcript)).toHex();
  const text = transcript.replace(',"owner_cert"', `,"signature":"${signature}","owner_cert"`);
  assert.equal(verifyAnnouncement(decode(text)), undefined);
  assert.equal(wire(decode(text)), text);
  assert.equal(verifyAnnouncement(decode(text.replace("[1,", "[2,"))), "signature");
});

Deno.test("decodeAnnouncement() survives anything", () => {
  const good = encodeAnnouncement(sample({ metadata: [["a", "\n\u{1d11e}"]], allowedNodes: [1n] }));
  const mutation = fc.record({
    at: fc.nat(good.length - 1),
    bytes: fc.uint8Array({ maxLength: 3 }),
    removed: fc.nat(40),
  });
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.json({ maxDepth: 4 }).map(bytesOfText),
    fc.array(mutation, { minLength: 1, maxLength: 3 }).map((mutations) => {
      const bytes = [...good];
      for (const { at, bytes: inserted, removed } of mutations) {
        bytes.splice(at, removed, ...inserted);
      }
      return Uint8Array.from(bytes);
    }),
  );
  fc.assert(
    fc.property(hostile, (bytes) => {
      const decoded = decodeAnnouncement(bytes);
      if (!decoded.ok) return;
      // What was read has one form, and that form is stable.
      const again = encodeAnnouncement(decoded.announcement);
      assert.deepEqual(decodeAnnouncement(again), decoded);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("verifyAnnouncement() notices every change but that of the hop count", () => {
  const announcement = sample({ reflexAddress: "1.2.3.4:5", metadata: [["a", "b"]] });
  assert.equal(verifyAnnouncement({ ...announcement, hopCount: 9 }), undefined);
  assert.equal(verifyAnnouncement({ ...announcement, signature: undefined }), "unsigned");
  assert.equal(verifyAnnouncement({ ...announcement, nodeId: 1n }), "identity");
  const other = identityOf(7);
  assert.equal(verifyAnnouncement({ ...announcement, entityId: other.entityId }), "identity");
  const stolen = { ...announcement, entityId: other.entityId, nodeId: other.nodeId };
  assert.equal(verifyAnnouncement(stolen), "signature");
  const changes: readonly Partial<Announcement>[] = [
    { version: 6n },
    { timestampNs: 1n },
    { ttlSeconds: 301 },
    { reflexAddress: undefined },
    { allowedNodes: [1n] },
    { allowedSubnets: [new Uint8Array(16)] },
    { allowedGroups: [new Uint8Array(32)] },
    { ownerCertificate: "{}" },
    { capabilities: { ...announcement.capabilities, tags: ["gpu"] } },
    { capabilities: { ...announcement.capabilities, metadata: new Map() } },
  ];
  for (const change of changes) {
    assert.equal(verifyAnnouncement({ ...announcement, ...change }), "signature");
  }
});

Deno.test("forwardAnnouncement() counts hops up to 15", () => {
  let announcement = sample();
  for (let hops = 1; hops <= 15; hops++) {
    const bytes = forwardAnnouncement(announcement);
    assert.ok(bytes !== undefined);
    announcement = decode(textOfBytes(bytes));
    assert.equal(announcement.hopCount, hops);
    assert.equal(verifyAnnouncement(announcement), undefined);
  }
  assert.equal(forwardAnnouncement(announcement), undefined);
});

Deno.test("localAnnouncement() refuses what receivers would drop", () => {
  const wrong: readonly Partial<Parameters<typeof sample>[0]>[] = [
    { version: -1n },
    { version: 1n << 64n },
    { ttlSeconds: 1.5 },
    { ttlSeconds: 2 ** 32 },
    { wallMs: NaN },
    { tags: [""] },
    { reflexAddress: "localhost:1" },
    { allowedNodes: Array.from({ length: 65 }, (_, index) => BigInt(index)) },
    { allowedNodes: [-1n] },
    { allowedSubnets: [new Uint8Array(15)] },
    { allowedGroups: [new Uint8Array(33)] },
  ];
  for (const options of wrong) assert.throws(() => sample(options), RangeError);
  const isLimit = (error: unknown) => error instanceof NetError && error.code === "limit";
  assert.throws(() => sample({ metadata: [["schema", "x".repeat(8000)]] }), isLimit);
});
