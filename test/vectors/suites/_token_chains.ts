/** Token chains as `token_chain_verdicts.json` describes them, built for any moment. */
import { systemRandom } from "../../../src/base/mod.ts";
import {
  encodeToken,
  encodeTokenChain,
  issueToken,
  type Token,
  TOKEN_BYTES,
  type TokenChain,
  tokenTranscript,
  type UnsignedToken,
} from "../../../src/channel/mod.ts";
import { createIdentity, deriveChannelHash, type Identity } from "../../../src/core/crypto/mod.ts";
import {
  integerOf,
  listOf,
  numberOf,
  objectOf,
  textOf,
  type VectorObject,
} from "../vector_reader.ts";

/** The channel that all chains are about, and its one root. */
export const CHAIN_CHANNEL = "gated/x";
export const CHAIN_OWNER = createIdentity(new Uint8Array(32).fill(0x21));
/** Seed of the one who presents them. */
export const CHAIN_PRESENTER_SEED = new Uint8Array(32).fill(0x09);
export const CHAIN_PRESENTER = createIdentity(CHAIN_PRESENTER_SEED);

const CHANNEL_HASH = deriveChannelHash(CHAIN_CHANNEL);
const ENTITIES: ReadonlyMap<string, Identity> = new Map([
  ["owner", CHAIN_OWNER],
  ["mid", createIdentity(new Uint8Array(32).fill(0x33))],
  ["presenter", CHAIN_PRESENTER],
]);

/** The chain of a case. */
export function buildChain(vector: VectorObject, nowSeconds: number): TokenChain {
  return listOf(vector, "links").map((link, index) =>
    buildLink(objectOf(link, String(index)), nowSeconds)
  );
}

/** Bytes of a case that is no chain. The file gives only lengths; a good token is what they are made of. */
export function buildMalformed(vector: VectorObject, nowSeconds: number): Uint8Array {
  const token = encodeToken(issueToken(CHAIN_OWNER, {
    subject: CHAIN_PRESENTER.entityId,
    scope: 2,
    channelHash: CHANNEL_HASH,
    ttlSeconds: 100,
  }, { nowSeconds, random: systemRandom }));
  const length = numberOf(vector, "presented_len");
  const bytes = new Uint8Array(length);
  for (let at = length % TOKEN_BYTES; at < length; at += TOKEN_BYTES) bytes.set(token, at);
  const name = textOf(vector, "name");
  if (name === "trailing byte") bytes.set([1, ...token]);
  else if (length % TOKEN_BYTES === 1) bytes[0] = Number(/\d+/.exec(name)?.[0]);
  return bytes;
}

/** Bytes of a chain of one good token. */
export function buildGoodChain(nowSeconds: number): Uint8Array {
  return encodeTokenChain([issueToken(CHAIN_OWNER, {
    subject: CHAIN_PRESENTER.entityId,
    scope: 2,
    channelHash: CHANNEL_HASH,
    ttlSeconds: 3_600,
  }, { nowSeconds, random: systemRandom })]);
}

function buildLink(vector: VectorObject, nowSeconds: number): Token {
  const issuer = entity(textOf(vector, "issuer"));
  const delta = integerOf(vector, "channel_hash_delta");
  const unsigned: UnsignedToken = {
    issuer: issuer.entityId,
    subject: entity(textOf(vector, "subject")).entityId,
    scope: numberOf(vector, "scope"),
    channelHash: delta === -1n ? 0n : CHANNEL_HASH + delta,
    issuerGeneration: numberOf(vector, "generation"),
    notBeforeSeconds: BigInt(nowSeconds) + integerOf(vector, "not_before_rel"),
    notAfterSeconds: BigInt(nowSeconds) + integerOf(vector, "not_after_rel"),
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
