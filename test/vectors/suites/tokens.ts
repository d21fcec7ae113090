/** Permission tokens, and what chains of them prove. */

import assert from "node:assert/strict";
import { systemRandom } from "../../../src/base/mod.ts";
import {
  decodeToken,
  encodeToken,
  encodeTokenChain,
  issueToken,
  isTokenSigned,
  recheckTokenChain,
  scopeNames,
  type Token,
  TOKEN_BYTES,
  type TokenChainQuestion,
  tokenErrorKind,
  tokenTranscript,
  type UnsignedToken,
  verifyTokenChain,
} from "../../../src/channel/mod.ts";
import { createIdentity, deriveChannelHash, type Identity } from "../../../src/core/crypto/mod.ts";
import type { VectorSuite } from "../suite.ts";
import {
  booleanOf,
  bytesOf,
  has,
  integerOf,
  listOf,
  numberOf,
  objectOf,
  textOf,
  type VectorObject,
} from "../vector_reader.ts";

/** Suites of this file by vector file. */
export const TOKEN_SUITES: Readonly<Record<string, VectorSuite>> = {
  "identity/tokens.json": () => ({
    cases: checkToken,
    negative: checkBadToken,
    issue_errors: checkIssue,
  }),
  "identity/token_chain_verdicts.json": () => ({ cases: checkVerdict, malformed: checkMalformed }),
};

function checkToken(vector: VectorObject): void {
  const issuer = createIdentity(bytesOf(vector, "issuer_seed_hex"));
  const unsigned: UnsignedToken = {
    issuer: issuer.entityId,
    subject: bytesOf(vector, "subject_entity_id_hex"),
    scope: numberOf(vector, "scope_bits"),
    channelHash: deriveChannelHash(textOf(vector, "channel")),
    issuerGeneration: numberOf(vector, "issuer_generation"),
    notBeforeSeconds: integerOf(vector, "not_before"),
    notAfterSeconds: integerOf(vector, "not_after"),
    depth: numberOf(vector, "delegation_depth"),
    nonce: integerOf(vector, "nonce"),
  };
  const transcript = tokenTranscript(unsigned);
  assert.equal(transcript.toHex(), textOf(vector, "signed_payload_hex"));
  const token: Token = { ...unsigned, signature: issuer.sign(transcript) };
  const bytes = encodeToken(token);
  assert.equal(bytes.toHex(), textOf(vector, "token_hex"));
  const decoded = decodeToken(bytes);
  assert.deepEqual(decoded, { ok: true, token });
  assert.equal(isTokenSigned(token), booleanOf(vector, "addon_verify"));
  assert.deepEqual(scopeNames(token.scope), listOf(vector, "addon_scope"));
}

function checkBadToken(vector: VectorObject): void {
  const decoded = decodeToken(bytesOf(vector, "token_hex"));
  assert.equal(decoded.ok, booleanOf(vector, "parse"));
  if (decoded.ok) assert.equal(isTokenSigned(decoded.token), booleanOf(vector, "verify"));
}

function checkIssue(vector: VectorObject): void {
  const issue = () =>
    issueToken(OWNER, {
      subject: PRESENTER.entityId,
      scope: 2,
      channelHash: 1n,
      ttlSeconds: numberOf(vector, "ttl_secs"),
    }, { nowSeconds: NOW, random: systemRandom });
  if (!has(vector, "error")) return void issue();
  assert.throws(issue, (error) => tokenErrorKind(error) === textOf(vector, "error"));
}

const NOW = 1_700_000_000;
const CHANNEL = deriveChannelHash("gated/x");
const OWNER = createIdentity(new Uint8Array(32).fill(0x21));
const PRESENTER = createIdentity(new Uint8Array(32).fill(0x09));
const ENTITIES: ReadonlyMap<string, Identity> = new Map([
  ["owner", OWNER],
  ["mid", createIdentity(new Uint8Array(32).fill(0x33))],
  ["presenter", PRESENTER],
]);
const QUESTION: TokenChainQuestion = {
  presenter: PRESENTER.entityId,
  action: "subscribe",
  channelHash: CHANNEL,
  roots: [OWNER.entityId],
  nowSeconds: NOW,
};

function checkVerdict(vector: VectorObject): void {
  const chain = listOf(vector, "links").map((link, index) => buildLink(objectOf(link, `${index}`)));
  const isAccepted = booleanOf(vector, "accepted");
  const verdict = verifyTokenChain(encodeTokenChain(chain), QUESTION);
  assert.equal(verdict.ok, isAccepted);
  // All these are signed well, so the variant that skips signatures says the same.
  assert.deepEqual(recheckTokenChain(chain, QUESTION), verdict);
}

function buildLink(vector: VectorObject): Token {
  const issuer = entity(textOf(vector, "issuer"));
  const delta = integerOf(vector, "channel_hash_delta");
  const unsigned: UnsignedToken = {
    issuer: issuer.entityId,
    subject: entity(textOf(vector, "subject")).entityId,
    scope: numberOf(vector, "scope"),
    channelHash: delta === -1n ? 0n : CHANNEL + delta,
    issuerGeneration: numberOf(vector, "generation"),
    notBeforeSeconds: BigInt(NOW) + integerOf(vector, "not_before_rel"),
    notAfterSeconds: BigInt(NOW) + integerOf(vector, "not_after_rel"),
    depth: numberOf(vector, "depth"),
    nonce: 1n,
  };
  return { ...unsigned, signature: issuer.sign(tokenTranscript(unsigned)) };
}

function entity(name: string): Identity {
  const found = ENTITIES.get(name);
  if (found === undefined) throw new TypeError(`Cannot read vector: nobody is called ${name}`);
  return found;
}

/** The file gives only lengths; a good token is what the bytes are made of. */
function checkMalformed(vector: VectorObject): void {
  const token = encodeToken(issueToken(OWNER, {
    subject: PRESENTER.entityId,
    scope: 2,
    channelHash: CHANNEL,
    ttlSeconds: 100,
  }, { nowSeconds: NOW, random: systemRandom }));
  const length = numberOf(vector, "presented_len");
  const bytes = new Uint8Array(length);
  for (let at = length % TOKEN_BYTES; at < length; at += TOKEN_BYTES) bytes.set(token, at);
  const name = textOf(vector, "name");
  if (name === "trailing byte") bytes.set([1, ...token]);
  else if (length % TOKEN_BYTES === 1) bytes[0] = Number(/\d+/.exec(name)?.[0]);
  const verdict = verifyTokenChain(bytes, QUESTION);
  assert.equal(verdict.ok, booleanOf(vector, "accepted"));
  assert.equal(verdict.ok ? undefined : verdict.kind, "invalid_format");
}
