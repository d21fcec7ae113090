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
  type TokenChainQuestion,
  tokenErrorKind,
  tokenTranscript,
  type UnsignedToken,
  verifyTokenChain,
} from "../../../src/channel/mod.ts";
import { createIdentity, deriveChannelHash } from "../../../src/core/crypto/mod.ts";
import type { VectorSuite } from "../suite.ts";
import {
  booleanOf,
  bytesOf,
  has,
  integerOf,
  listOf,
  numberOf,
  textOf,
  type VectorObject,
} from "../vector_reader.ts";
import {
  buildChain,
  buildMalformed,
  CHAIN_CHANNEL,
  CHAIN_OWNER,
  CHAIN_PRESENTER,
} from "./_token_chains.ts";

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
const OWNER = CHAIN_OWNER;
const PRESENTER = CHAIN_PRESENTER;
const QUESTION: TokenChainQuestion = {
  presenter: PRESENTER.entityId,
  action: "subscribe",
  channelHash: deriveChannelHash(CHAIN_CHANNEL),
  roots: [OWNER.entityId],
  nowSeconds: NOW,
};

function checkVerdict(vector: VectorObject): void {
  const chain = buildChain(vector, NOW);
  const isAccepted = booleanOf(vector, "accepted");
  const verdict = verifyTokenChain(encodeTokenChain(chain), QUESTION);
  assert.equal(verdict.ok, isAccepted);
  // All these are signed well, so the variant that skips signatures says the same.
  assert.deepEqual(recheckTokenChain(chain, QUESTION), verdict);
}

function checkMalformed(vector: VectorObject): void {
  const bytes = buildMalformed(vector, NOW);
  const verdict = verifyTokenChain(bytes, QUESTION);
  assert.equal(verdict.ok, booleanOf(vector, "accepted"));
  assert.equal(verdict.ok ? undefined : verdict.kind, "invalid_format");
}
