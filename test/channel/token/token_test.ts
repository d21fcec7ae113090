import assert from "node:assert/strict";
import fc from "fast-check";
import {
  authorizesAction,
  checkTokenTime,
  clampTokenSkew,
  decodeToken,
  encodeToken,
  hasScope,
  isTokenSigned,
  parseScope,
  scopeNames,
  TOKEN_BYTES,
  TOKEN_ERROR_KINDS,
  TOKEN_SCOPE_ALL,
  tokenError,
  tokenErrorKind,
  tokenTranscript,
  verifyToken,
} from "../../../src/channel/mod.ts";
import { NetError } from "../../../src/base/mod.ts";
import { anyToken, CHANNEL, grant, NOW } from "./tokens.ts";

Deno.test("decodeToken() gives back what encodeToken() wrote", () => {
  fc.assert(fc.property(anyToken, (token) => {
    const bytes = encodeToken(token);
    assert.equal(bytes.length, TOKEN_BYTES);
    assert.deepEqual(bytes.subarray(0, 105), tokenTranscript(token));
    assert.deepEqual(decodeToken(bytes), { ok: true, token });
  }));
});

Deno.test("decodeToken() takes any 169 bytes and nothing else", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
    assert.equal(decodeToken(bytes).ok, bytes.length === TOKEN_BYTES);
  }));
  fc.assert(fc.property(fc.uint8Array({ minLength: 169, maxLength: 169 }), (bytes) => {
    const decoded = decodeToken(bytes);
    assert.deepEqual(decoded.ok && encodeToken(decoded.token), bytes);
  }));
});

Deno.test("decodeToken() keeps nothing of the array it read", () => {
  const bytes = encodeToken(grant());
  const decoded = decodeToken(bytes);
  bytes.fill(0);
  assert.ok(decoded.ok && isTokenSigned(decoded.token));
});

Deno.test("isTokenSigned() is false after any changed bit", () => {
  const bytes = encodeToken(grant());
  fc.assert(fc.property(fc.nat(TOKEN_BYTES * 8 - 1), (bit) => {
    const changed = bytes.slice();
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const decoded = decodeToken(changed);
    assert.ok(decoded.ok && !isTokenSigned(decoded.token));
  }));
});

Deno.test("checkTokenTime() tests start, end, then length, with the skew on both sides", () => {
  const token = { ...grant(), notBeforeSeconds: 1000n, notAfterSeconds: 2000n };
  const at = (nowSeconds: number, skewSeconds?: number) =>
    checkTokenTime(token, { nowSeconds, skewSeconds });
  assert.deepEqual([999, 1000, 1999, 2000].map((now) => at(now)), [
    "not_yet_valid",
    undefined,
    undefined,
    "expired",
  ]);
  assert.equal(at(999.9), "not_yet_valid");
  assert.deepEqual([989, 990, 2009, 2010].map((now) => at(now, 10)), [
    "not_yet_valid",
    undefined,
    undefined,
    "expired",
  ]);
  const long = { ...token, notAfterSeconds: 1000n + 31_536_001n };
  assert.equal(checkTokenTime(long, { nowSeconds: 1000 }), "ttl_too_long");
  assert.equal(checkTokenTime(long, { nowSeconds: 0 }), "not_yet_valid");
});

Deno.test("checkTokenTime() saturates at both ends of the clock", () => {
  const token = { ...grant(), notBeforeSeconds: 5n, notAfterSeconds: 2n ** 64n - 1n };
  assert.equal(checkTokenTime(token, { nowSeconds: 0, skewSeconds: 300 }), "ttl_too_long");
  const backwards = { ...token, notBeforeSeconds: 10n, notAfterSeconds: 5n };
  assert.equal(checkTokenTime(backwards, { nowSeconds: 7 }), "not_yet_valid");
  assert.equal(checkTokenTime(backwards, { nowSeconds: 20 }), "expired");
});

Deno.test("clampTokenSkew() forgives at most five minutes", () => {
  assert.deepEqual([-5, 0, 60.7, 300, 301, Infinity].map(clampTokenSkew), [
    0,
    0,
    60,
    300,
    300,
    300,
  ]);
});

Deno.test("verifyToken() looks at the signature before the time", () => {
  const token = grant();
  assert.equal(verifyToken(token, { nowSeconds: NOW }), undefined);
  const late = { nowSeconds: NOW + 3600 };
  assert.equal(verifyToken(token, late), "expired");
  assert.equal(verifyToken({ ...token, nonce: 0n }, late), "invalid_signature");
});

Deno.test("authorizesAction() needs the action, and the channel or wildcard", () => {
  const token = grant({ scope: 2 });
  assert.ok(authorizesAction(token, "subscribe", CHANNEL));
  assert.ok(!authorizesAction(token, "publish", CHANNEL));
  assert.ok(!authorizesAction(token, "subscribe", CHANNEL + 1n));
  const wildcard = grant({ scope: 18, channelHash: 0n });
  assert.ok(authorizesAction(wildcard, "subscribe", CHANNEL + 1n));
  assert.ok(!authorizesAction(wildcard, "publish", CHANNEL));
});

Deno.test("scopes have names, the empty one is in none, and wildcard is not part of all", () => {
  assert.deepEqual(scopeNames(31), ["publish", "subscribe", "admin", "delegate", "wildcard"]);
  assert.deepEqual(scopeNames(TOKEN_SCOPE_ALL), ["publish", "subscribe", "admin", "delegate"]);
  assert.deepEqual(scopeNames(0xffff_ffe0), []);
  assert.ok(!hasScope(31, 0) && hasScope(10, 8) && !hasScope(2, 10));
  assert.equal(parseScope(["subscribe", "delegate", "subscribe"]), 10);
  assert.equal(parseScope([]), 0);
  assert.equal(parseScope(["subscribe", "toString"]), undefined);
});

Deno.test("tokenError() says the kind, and tokenErrorKind() finds it again", () => {
  assert.equal(TOKEN_ERROR_KINDS.length, 11);
  for (const kind of TOKEN_ERROR_KINDS) {
    const error = tokenError(kind);
    assert.equal(error.message, `token: ${kind}`);
    assert.equal(tokenErrorKind(error), kind);
    assert.ok(error.next !== undefined && ["not_allowed", "usage"].includes(error.code));
  }
  assert.equal(tokenErrorKind(new NetError("not_allowed", "token: other")), undefined);
  assert.equal(tokenErrorKind(new Error("token: expired")), undefined);
});
