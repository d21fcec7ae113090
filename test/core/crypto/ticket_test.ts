import assert from "node:assert/strict";
import { bech32m } from "@scure/base";
import fc from "fast-check";
import {
  createIdentity,
  createNoiseKeyPair,
  decodeTicket,
  encodeTicket,
  type Ticket,
  TICKET_TEXT_MAX,
} from "../../../src/core/crypto/mod.ts";
import { formatIpAddress, fromHex, NetError } from "../../../src/base/mod.ts";
import vectors from "../../../docs/vectors/ticket.json" with { type: "json" };

const NOW_SECONDS = 1_700_000_000;

const simple: Ticket = {
  expiresAtSeconds: 0,
  entityId: createIdentity(new Uint8Array(32).fill(1)).entityId,
  noisePublicKey: createNoiseKeyPair(new Uint8Array(32).fill(2)).publicKey,
  meshSecret: new Uint8Array(32).fill(0xab),
  addresses: [{ host: "192.0.2.1", port: 9000 }],
  label: "",
};

const any32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const anyIpv4 = fc.uint8Array({ minLength: 4, maxLength: 4 })
  .filter((bytes) => (bytes[0] ?? 0) < 224 && bytes.some((byte) => byte !== 0));
const anyIpv6 = fc.uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => bytes.with(0, (bytes[0] ?? 0) & 0x7f | 0x20));
const anyAddress = fc.record({
  host: fc.oneof(anyIpv4, anyIpv6).map((bytes) => formatIpAddress(bytes)),
  port: fc.integer({ min: 1, max: 65535 }),
}, { noNullPrototype: true });
const anyTicket: fc.Arbitrary<Ticket> = fc.record({
  expiresAtSeconds: fc.oneof(
    fc.constant(0),
    fc.integer({ min: NOW_SECONDS + 1, max: Number.MAX_SAFE_INTEGER }),
  ),
  entityId: any32.map((seed) => createIdentity(seed).entityId),
  noisePublicKey: any32.map((key) => createNoiseKeyPair(key).publicKey),
  meshSecret: any32,
  addresses: fc.uniqueArray(anyAddress, {
    minLength: 1,
    maxLength: 8,
    selector: ({ host, port }) => `${host} ${port}`,
  }),
  label: fc.string({ unit: fc.constantFrom("a", " ", "é", "€", "🚀"), maxLength: 16 }),
}, { noNullPrototype: true });

/** The reason a text is refused for; the error has to be complete and free of secrets. */
function reasonOf(text: string, nowSeconds = NOW_SECONDS): string | undefined {
  try {
    decodeTicket(text, nowSeconds);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof NetError, String(error));
    const reason = String(error.data?.reason);
    assert.equal(error.code, reason === "expired" ? "ticket_expired" : "ticket_invalid");
    assert.ok(error.next);
    const shown = `${error.message} ${error.next} ${JSON.stringify(error.data)}`;
    assert.ok(!shown.includes("abab"), "no secret is shown");
    assert.ok(text.trim().length < 10 || !shown.includes(text.trim().slice(0, 10)));
    return reason;
  }
}

function bytesOf(text: string): Uint8Array {
  return bech32m.fromWords(bech32m.decode(text, false).words);
}

function textOf(bytes: Uint8Array): string {
  return bech32m.encode("net", bech32m.toWords(bytes), false);
}

for (const { name, ticket: fields, bytes, text } of vectors.valid) {
  Deno.test(`encodeTicket() and decodeTicket() agree with the vector: ${name}`, () => {
    const ticket: Ticket = {
      expiresAtSeconds: fields.expires_at_seconds,
      entityId: fromHex(fields.entity_id, 32) ?? assert.fail(),
      noisePublicKey: fromHex(fields.noise_public_key, 32) ?? assert.fail(),
      meshSecret: fromHex(fields.mesh_secret, 32) ?? assert.fail(),
      addresses: fields.addresses,
      label: fields.label,
    };
    assert.equal(encodeTicket(ticket), text);
    assert.equal(bytesOf(text).toHex(), bytes);
    assert.deepEqual(decodeTicket(text, 0), ticket);
  });
}

for (const { name, text, now_seconds, reason } of vectors.refused) {
  Deno.test(`decodeTicket() refuses the vector: ${name}`, () => {
    assert.equal(reasonOf(text, now_seconds), reason);
  });
}

Deno.test("encodeTicket() and decodeTicket() are inverse", () => {
  fc.assert(
    fc.property(anyTicket, (ticket) => {
      const text = encodeTicket(ticket);
      assert.ok(text.length <= TICKET_TEXT_MAX);
      assert.deepEqual(decodeTicket(text, NOW_SECONDS), ticket);
      assert.deepEqual(decodeTicket(` \r\n${text.toUpperCase()}\t\n`, NOW_SECONDS), ticket);
    }),
    { numRuns: 60 },
  );
});

Deno.test("decodeTicket() accepts a ticket until the second it expires in", () => {
  const text = encodeTicket({ ...simple, expiresAtSeconds: NOW_SECONDS });
  assert.equal(reasonOf(text, NOW_SECONDS - 1), undefined);
  assert.equal(reasonOf(text, NOW_SECONDS), "expired");
  assert.equal(reasonOf(encodeTicket(simple), Number.MAX_SAFE_INTEGER), undefined);
});

Deno.test("decodeTicket() refuses any changed character", () => {
  const text = encodeTicket(simple);
  const alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
  for (let place = 4; place < text.length; place++) {
    const shift = 1 + place % 31;
    const other = alphabet[(alphabet.indexOf(text[place] ?? "") + shift) % 32];
    assert.equal(reasonOf(text.slice(0, place) + other + text.slice(place + 1)), "checksum");
  }
});

Deno.test("decodeTicket() refuses every truncation of the text and of the content", () => {
  const text = encodeTicket({ ...simple, label: "kitchen" });
  for (let length = 0; length < text.length; length++) {
    assert.notEqual(reasonOf(text.slice(0, length)), undefined);
  }
  const bytes = bytesOf(text);
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(reasonOf(textOf(bytes.subarray(0, length))), "truncated");
  }
});

Deno.test("decodeTicket() is canonical: content it accepts encodes to the same text", () => {
  const changes = fc.array(fc.tuple(fc.nat(160), fc.nat(255)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(anyTicket, changes, (ticket, list) => {
      const bytes = bytesOf(encodeTicket(ticket));
      for (const [place, value] of list) if (place < bytes.length) bytes[place] = value;
      const text = textOf(bytes);
      if (reasonOf(text, 0) === undefined) assert.equal(encodeTicket(decodeTicket(text, 0)), text);
    }),
    { numRuns: 200 },
  );
});

Deno.test("decodeTicket() refuses arbitrary content and arbitrary text with a reason", () => {
  const anyBytes = fc.uint8Array({ maxLength: 330, size: "max" });
  fc.assert(fc.property(anyBytes, (bytes) => {
    assert.notEqual(reasonOf(textOf(bytes)), undefined);
    assert.notEqual(reasonOf(textOf(Uint8Array.of(1, ...bytes))), undefined);
  }));
  fc.assert(fc.property(fc.oneof(fc.string(), fc.string({ unit: "binary" })), (text) => {
    assert.notEqual(reasonOf(text), undefined);
    assert.notEqual(reasonOf(`net1${text}`), undefined);
  }));
});

Deno.test("decodeTicket() does not take letters for ASCII because of case folding", () => {
  // The Kelvin sign becomes "k" in lower case.
  const upper = encodeTicket(simple).toUpperCase();
  assert.ok(upper.includes("K"));
  assert.equal(reasonOf(upper.replace("K", "\u212a")), "character");
});

Deno.test("encodeTicket() refuses fields out of bounds", () => {
  const address = { host: "192.0.2.1", port: 1 };
  const wrong: readonly (readonly [string, Partial<Ticket>])[] = [
    ["expiry", { expiresAtSeconds: -1 }],
    ["expiry", { expiresAtSeconds: 1.5 }],
    ["expiry", { expiresAtSeconds: 2 ** 53 }],
    ["entity_id", { entityId: new Uint8Array(31) }],
    ["entity_id", { entityId: new Uint8Array(32) }],
    ["noise_key", { noisePublicKey: new Uint8Array(32) }],
    ["noise_key", { noisePublicKey: new Uint8Array(0) }],
    ["mesh_secret", { meshSecret: new Uint8Array(33) }],
    ["address_count", { addresses: [] }],
    [
      "address_count",
      { addresses: Array.from({ length: 9 }, (_, i) => ({ ...address, port: i + 1 })) },
    ],
    ["address", { addresses: [address, address] }],
    ["address", { addresses: [{ ...address, port: 0 }] }],
    ["address", { addresses: [{ ...address, port: 65536 }] }],
    ["address", { addresses: [{ ...address, host: "localhost" }] }],
    ["address", { addresses: [{ ...address, host: "2001:DB8::1" }] }],
    ["address", { addresses: [{ ...address, host: "::ffff:c000:201" }] }],
    ["label", { label: "x".repeat(65) }],
    ["label", { label: "line\nline" }],
    ["label", { label: "\ud800" }],
  ];
  for (const [reason, fields] of wrong) {
    assert.throws(() => encodeTicket({ ...simple, ...fields }), (error) => {
      assert.ok(error instanceof NetError && error.code === "config_invalid");
      assert.equal(error.data?.reason, reason);
      return true;
    });
  }
});
