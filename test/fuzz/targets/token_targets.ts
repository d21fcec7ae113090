/** Decoders of tokens, chains of them, identities on the move, and the revocations file. */

import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/mod.ts";
import {
  decodeToken,
  decodeTokenChain,
  encodeToken,
  encodeTokenChain,
  extendChain,
  findTokenChainFaults,
  formatRevocationList,
  type IssueDeps,
  issueToken,
  parseRevocationList,
  recheckTokenChain,
  RevocationRegistry,
  TokenCache,
  type TokenChain,
  type TokenChainQuestion,
  verifyTokenChain,
} from "../../../src/channel/mod.ts";
import {
  createIdentity,
  createNoiseKeyPair,
  decodeIdentityState,
  encodeIdentityState,
  openIdentityEnvelope,
  parseIdentityExport,
  sealIdentityEnvelope,
} from "../../../src/core/crypto/mod.ts";
import { assertSame, type CreateTarget, type FuzzTarget } from "../fuzz.ts";
import { FuzzRandom } from "../fuzz_random.ts";

const random = new FuzzRandom(23);
const NOW = 1_700_000_000;
const CHANNEL = 77n;
const OWNER = createIdentity(new Uint8Array(32).fill(1));
const MACHINE = createIdentity(new Uint8Array(32).fill(2));
const GATEWAY = createIdentity(new Uint8Array(32).fill(3));
const DEPS: IssueDeps = { nowSeconds: NOW, random: (length) => random.bytes(length) };
/** Numbers of a token are bigints, and each of its arrays has a head of its own. */
const TOKEN_GROWTH = { factor: 16, base: 512 };

function drawChain(): TokenChain {
  const subject = random.below(3) === 0 ? GATEWAY : MACHINE;
  const root = issueToken(OWNER, {
    subject: subject.entityId,
    scope: 2 + 8 + 16 * random.below(2),
    channelHash: CHANNEL,
    ttlSeconds: 1 + random.below(10_000),
    depth: 1 + random.below(4),
  }, DEPS);
  if (subject === GATEWAY) return [root];
  return extendChain([root], MACHINE, { subject: GATEWAY.entityId, scope: 2 }, DEPS);
}

function tokenTarget(): FuzzTarget {
  return {
    corpus: Array.from({ length: 8 }, () => encodeToken(drawChain()[0] ?? assert.fail())),
    growth: TOKEN_GROWTH,
    feed: (bytes) => {
      const decoded = decodeToken(bytes);
      if (!decoded.ok) return undefined;
      assertSame(encodeToken(decoded.token), bytes);
      return decoded.token;
    },
  };
}

function chainTarget(): FuzzTarget {
  return {
    corpus: Array.from({ length: 8 }, () => encodeTokenChain(drawChain())),
    growth: TOKEN_GROWTH,
    feed: (bytes) => {
      const decoded = decodeTokenChain(bytes);
      if (!decoded.ok) return undefined;
      assertSame(encodeTokenChain(decoded.chain), bytes);
      return decoded.chain;
    },
  };
}

/** Forged chains: only what was issued verifies, and the verdicts agree with each other. */
function verdictTarget(): FuzzTarget {
  const corpus = Array.from({ length: 16 }, () => encodeTokenChain(drawChain()));
  const issued = new Set(corpus.map((bytes) => bytes.toHex()));
  const revocations = new RevocationRegistry();
  revocations.revoke(OWNER.entityId);
  const cache = new TokenCache({ revocations, slotsMax: 32, tokensPerSlotMax: 4 });
  return {
    corpus,
    growth: TOKEN_GROWTH,
    feed: (bytes, choice) => {
      const question: TokenChainQuestion = {
        presenter: GATEWAY.entityId,
        action: "subscribe",
        channelHash: CHANNEL,
        roots: [OWNER.entityId],
        nowSeconds: NOW + choice.below(2) * choice.below(20_000),
        skewSeconds: choice.below(400),
        revocations: choice.below(4) === 0 ? revocations : undefined,
      };
      const verdict = verifyTokenChain(bytes, question);
      const decoded = decodeTokenChain(bytes);
      if (!decoded.ok) {
        assert.ok(!verdict.ok && verdict.kind === "invalid_format");
        return undefined;
      }
      const { chain } = decoded;
      const faults = findTokenChainFaults(chain, question);
      assert.equal(faults.length === 0, verdict.ok);
      assert.ok(verdict.ok || verdict.rule === faults[0]?.rule);
      if (verdict.ok) assert.ok(issued.has(bytes.toHex()), "a forged chain verifies");
      if (verdict.ok) assert.ok(recheckTokenChain(chain, question).ok);
      for (const token of chain) cache.insert(token);
      assert.ok(cache.slots <= 32 && cache.size <= 32 * 4);
      return chain;
    },
  };
}

function stateTarget(): FuzzTarget {
  return {
    corpus: Array.from(
      { length: 8 },
      () => encodeIdentityState({ seed: random.bytes(32), issuerGeneration: random.below(1e9) }),
    ),
    feed: (bytes) => {
      const decoded = decodeIdentityState(bytes);
      if (!decoded.ok) return undefined;
      assertSame(encodeIdentityState(decoded.state), bytes);
      return decoded.state;
    },
  };
}

function exportTarget(): FuzzTarget {
  const seeds = Array.from({ length: 4 }, () => random.bytes(32));
  const states = seeds.map((seed) => encodeIdentityState({ seed, issuerGeneration: 7 }));
  const lines = [...seeds, ...states].map((bytes) => utf8(`${bytes.toHex()}\n`));
  return {
    corpus: [...seeds, ...states, ...lines],
    feed: (bytes) => {
      const state = parseIdentityExport(bytes);
      if (state !== undefined) assertSame(parseAgain(encodeIdentityState(state)), state.seed);
      return state;
    },
  };
}

function parseAgain(bytes: Uint8Array): Uint8Array {
  return parseIdentityExport(bytes)?.seed ?? new Uint8Array();
}

/** Forged envelopes: nothing opens but the seed of the signer. */
function envelopeTarget(): FuzzTarget {
  const target = createNoiseKeyPair(new Uint8Array(32).fill(9));
  const seed = new Uint8Array(32).fill(1);
  const causalLink = utf8("step 9");
  const corpus = Array.from(
    { length: 8 },
    () => sealIdentityEnvelope({ seed, targetKey: target.publicKey, causalLink }),
  );
  return {
    corpus,
    feed: (bytes) => {
      const opened = openIdentityEnvelope(bytes, { target, signer: OWNER.entityId, causalLink });
      if (!opened.ok) return undefined;
      assertSame(opened.seed, seed);
      return opened;
    },
  };
}

function revocationsTarget(): FuzzTarget {
  const lists = Array.from({ length: 8 }, (_, count) =>
    formatRevocationList(
      Array.from({ length: count }, () => ({
        issuer: random.bytes(32),
        floor: 1 + random.below(1e9),
      })),
    ));
  return {
    corpus: lists.map(utf8),
    feed: (bytes) => {
      const parsed = parseRevocationList(bytes);
      if (!parsed.ok) return undefined;
      const canonical = formatRevocationList(parsed.floors);
      const again = parseRevocationList(utf8(canonical));
      assert.ok(again.ok && formatRevocationList(again.floors) === canonical);
      return parsed.floors;
    },
  };
}

/** Targets of this file by name. */
export const TOKEN_TARGETS: Readonly<Record<string, CreateTarget>> = {
  token: tokenTarget,
  token_chain: chainTarget,
  token_chain_verdict: verdictTarget,
  identity_state: stateTarget,
  identity_export: exportTarget,
  identity_envelope: envelopeTarget,
  revocation_list: revocationsTarget,
};
