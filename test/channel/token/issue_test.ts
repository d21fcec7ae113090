import assert from "node:assert/strict";
import {
  clampTokenTtl,
  delegateToken,
  encodeToken,
  issueToken,
  isTokenSigned,
  TOKEN_TTL_SECONDS_MAX,
  type TokenErrorKind,
  tokenErrorKind,
} from "../../../src/channel/mod.ts";
import { createPublicIdentity } from "../../../src/core/crypto/mod.ts";
import { CHANNEL, GATEWAY, grant, issueDeps, MACHINE, NOW, OWNER, resign } from "./tokens.ts";

function refuses(run: () => unknown, kind: TokenErrorKind): void {
  assert.throws(run, (error) => tokenErrorKind(error) === kind, kind);
}

Deno.test("issueToken() writes what was asked, at the issuer's generation", () => {
  const token = issueToken(OWNER.atGeneration(7), {
    subject: MACHINE.entityId,
    scope: 18,
    channelHash: CHANNEL,
    ttlSeconds: 60,
    depth: 255,
  }, { nowSeconds: NOW + 0.9, random: issueDeps().random });
  const { signature, ...rest } = token;
  assert.deepEqual(rest, {
    issuer: OWNER.entityId,
    subject: MACHINE.entityId,
    scope: 18,
    channelHash: CHANNEL,
    issuerGeneration: 7,
    notBeforeSeconds: BigInt(NOW),
    notAfterSeconds: BigInt(NOW + 60),
    depth: 255,
    nonce: 1n,
  });
  assert.equal(signature.length, 64);
  assert.ok(isTokenSigned(token));
});

Deno.test("issueToken() keeps the life between a second and a year", () => {
  refuses(() => grant({ ttlSeconds: 0 }), "zero_ttl");
  refuses(() => grant({ ttlSeconds: -1 }), "zero_ttl");
  refuses(() => grant({ ttlSeconds: TOKEN_TTL_SECONDS_MAX + 1 }), "ttl_too_long");
  assert.ok(grant({ ttlSeconds: TOKEN_TTL_SECONDS_MAX }));
  assert.deepEqual([-1, 0, 1, 5.5, Infinity].map(clampTokenTtl), [1, 1, 1, 5, 31_536_000]);
});

Deno.test("issueToken() ends earlier by the skew that readers forgive", () => {
  assert.equal(grant({ ttlSeconds: 100, skewSeconds: 60 }).notAfterSeconds, BigInt(NOW + 40));
  assert.equal(grant({ ttlSeconds: 400, skewSeconds: 999 }).notAfterSeconds, BigInt(NOW + 100));
  refuses(() => grant({ ttlSeconds: 60, skewSeconds: 60 }), "zero_ttl");
});

Deno.test("issueToken() refuses an issuer without its secret key", () => {
  refuses(() => grant({}, createPublicIdentity(OWNER.entityId)), "read_only");
});

Deno.test("issueToken() refuses options that are out of range", () => {
  for (
    const changes of [
      { subject: new Uint8Array(31) },
      { scope: -1 },
      { scope: 2 ** 32 },
      { channelHash: -1n },
      { channelHash: 1n << 64n },
      { depth: 256 },
      { depth: 0.5 },
      { ttlSeconds: 1.5 },
      { ttlSeconds: NaN },
    ]
  ) assert.throws(() => grant(changes), RangeError);
});

Deno.test("delegateToken() narrows scope, depth and time, at the signer's own generation", () => {
  const parent = grant({ scope: 11, depth: 3 }, OWNER.atGeneration(5));
  const child = delegateToken(parent, MACHINE.atGeneration(7), {
    subject: GATEWAY.entityId,
    scope: 6,
  }, issueDeps(NOW + 10));
  assert.deepEqual({ ...child, signature: undefined }, {
    issuer: MACHINE.entityId,
    subject: GATEWAY.entityId,
    scope: 2,
    channelHash: CHANNEL,
    issuerGeneration: 7,
    notBeforeSeconds: BigInt(NOW + 10),
    notAfterSeconds: parent.notAfterSeconds,
    depth: 2,
    nonce: 1n,
    signature: undefined,
  });
  assert.ok(isTokenSigned(child));
});

Deno.test("delegateToken() refuses in the order of the checks", () => {
  const pass = (parent: ReturnType<typeof grant>, signer = MACHINE, now = NOW) => () =>
    delegateToken(parent, signer, { subject: GATEWAY.entityId, scope: 2 }, issueDeps(now));
  const bare = grant({ scope: 2, depth: 0 });
  refuses(pass({ ...bare, nonce: 9n }, GATEWAY, NOW + 9999), "invalid_signature");
  refuses(pass(bare, GATEWAY, NOW + 3600), "expired");
  refuses(pass(bare, GATEWAY), "delegation_exhausted");
  refuses(pass(grant({ scope: 2, depth: 1 }), GATEWAY), "delegation_not_allowed");
  refuses(pass(grant({ scope: 10, depth: 1 }), GATEWAY), "not_authorized");
  refuses(
    pass(grant({ scope: 10, depth: 1 }), createPublicIdentity(MACHINE.entityId)),
    "read_only",
  );
});

Deno.test("delegateToken() makes a child that allows nothing when the scopes do not meet", () => {
  const child = delegateToken(grant({ scope: 10, depth: 1 }), MACHINE, {
    subject: GATEWAY.entityId,
    scope: 1,
  }, issueDeps());
  assert.equal(child.scope, 0);
});

Deno.test("delegateToken() keeps the child inside a parent that begins within the skew", () => {
  const parent = resign(grant({ scope: 10, depth: 1 }), OWNER, {
    notBeforeSeconds: BigInt(NOW + 30),
  });
  const child = delegateToken(parent, MACHINE, {
    subject: GATEWAY.entityId,
    scope: 2,
    skewSeconds: 60,
  }, issueDeps());
  assert.equal(child.notBeforeSeconds, BigInt(NOW + 30));
});

Deno.test("two tokens of the same issuer and options differ by their nonce", () => {
  const deps = issueDeps();
  const options = { subject: MACHINE.entityId, scope: 2, channelHash: 1n, ttlSeconds: 1 };
  const [first, second] = [issueToken(OWNER, options, deps), issueToken(OWNER, options, deps)];
  assert.notDeepEqual(encodeToken(first), encodeToken(second));
});
