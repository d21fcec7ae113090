/** People and tokens that the tests of this folder share. */
import {
  type IssueDeps,
  issueToken,
  type Token,
  tokenTranscript,
} from "../../../src/channel/mod.ts";
import { createIdentity, type Identity } from "../../../src/core/crypto/mod.ts";
import fc from "fast-check";

/** Unix seconds at which everything here happens. */
export const NOW = 1_700_000_000;

export const CHANNEL = 0x1122_3344_5566_7788n;

export const OWNER = createIdentity(new Uint8Array(32).fill(1));
export const MACHINE = createIdentity(new Uint8Array(32).fill(2));
export const GATEWAY = createIdentity(new Uint8Array(32).fill(3));
export const STRANGER = createIdentity(new Uint8Array(32).fill(4));

/** Nonces count up from 1, so that no two tokens are equal. */
export function issueDeps(nowSeconds = NOW): IssueDeps {
  let calls = 0n;
  const random = (length: number) => {
    const bytes = new Uint8Array(length);
    new DataView(bytes.buffer).setBigUint64(0, ++calls, true);
    return bytes;
  };
  return { nowSeconds, random };
}

/** A token of the owner for the machine, to subscribe for an hour. */
export function grant(changes: Partial<Parameters<typeof issueToken>[1]> = {}, issuer = OWNER) {
  return issueToken(issuer, {
    subject: MACHINE.entityId,
    scope: 2,
    channelHash: CHANNEL,
    ttlSeconds: 3600,
    ...changes,
  }, issueDeps());
}

/** The token with other fields, signed again. */
export function resign(token: Token, signer: Identity, changes: Partial<Token>): Token {
  const changed = { ...token, ...changes };
  return { ...changed, signature: signer.sign(tokenTranscript(changed)) };
}

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });

/** Any token, seldom signed well. */
export const anyToken: fc.Arbitrary<Token> = fc.record({
  issuer: bytes(32),
  subject: bytes(32),
  scope: u32,
  channelHash: u64,
  issuerGeneration: u32,
  notBeforeSeconds: u64,
  notAfterSeconds: u64,
  depth: fc.integer({ min: 0, max: 255 }),
  nonce: u64,
  signature: bytes(64),
}, { noNullPrototype: true });
