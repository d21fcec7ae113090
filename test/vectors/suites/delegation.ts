/** Child identities and delegation chains. */

import assert from "node:assert/strict";
import {
  createGatewayChain,
  decodeTokenChain,
  DELEGATION_CHANNEL,
  DELEGATION_CHANNEL_HASH,
  deriveChildIdentity,
  encodeTokenChain,
  extendToSubagent,
  recheckTokenChain,
  RevocationRegistry,
  type TokenChain,
  tokenErrorKind,
  verifyDelegation,
} from "../../../src/channel/mod.ts";
import { createIdentity, deriveChildSeed, type Identity } from "../../../src/core/crypto/mod.ts";
import { idToHex, systemRandom } from "../../../src/base/mod.ts";
import type { VectorSuite } from "../suite.ts";
import {
  booleanOf,
  bytesOf,
  listOf,
  numberOf,
  objectOf,
  recordOf,
  textOf,
  type VectorObject,
} from "../vector_reader.ts";

/** Suites of this file by vector file. */
export const DELEGATION_SUITES: Readonly<Record<string, VectorSuite>> = {
  "identity/delegation.json": (document) => {
    const file = objectOf(document, "file");
    return {
      children: checkChild,
      chains: (vector) => {
        const chain = checkChain(vector);
        checkAgreement(file, vector, chain);
      },
    };
  },
};

function checkChild(vector: VectorObject): void {
  const parentSeed = bytesOf(vector, "parent_seed_hex");
  const label = textOf(vector, "label");
  assert.equal(deriveChildSeed(parentSeed, label).toHex(), textOf(vector, "child_seed_hex"));
  const { entityId } = deriveChildIdentity(parentSeed, label);
  assert.equal(entityId.toHex(), textOf(vector, "child_entity_id_hex"));
}

/** A chain that the core made, at the time it was made. */
function checkChain(vector: VectorObject): TokenChain {
  const bytes = bytesOf(vector, "bytes_hex");
  const decoded = decodeTokenChain(bytes);
  assert.ok(decoded.ok, "it is a chain");
  const { chain } = decoded;
  assert.deepEqual(encodeTokenChain(chain), bytes);
  assert.equal(chain.length, numberOf(vector, "links"));
  assert.deepEqual(chain.map(({ subject }) => subject.toHex()), listOf(vector, "subjects_hex"));
  assert.ok(ask(bytes, vector).ok, "it verifies");
  assert.ok(!ask(bytes, vector, { nowSeconds: 0 }).ok, "it is not yet valid in 1970");
  return chain;
}

function ask(
  bytes: Uint8Array,
  vector: VectorObject,
  changes: Partial<Parameters<typeof verifyDelegation>[1]> = {},
) {
  const decoded = decodeTokenChain(bytes);
  const newest = decoded.ok ? decoded.chain.at(-1) : undefined;
  return verifyDelegation(bytes, {
    presenter: bytesOf(vector, "leaf_hex"),
    root: bytesOf(vector, "root_hex"),
    nowSeconds: Number(newest?.notBeforeSeconds ?? 0n),
    ...changes,
  });
}

/** What the core said of these chains, and of ones made like them. */
function checkAgreement(file: VectorObject, vector: VectorObject, chain: TokenChain): void {
  const verdicts = recordOf(file, "verdicts");
  const bytes = encodeTokenChain(chain);
  assert.equal(textOf(file, "channel"), DELEGATION_CHANNEL);
  assert.equal(idToHex(DELEGATION_CHANNEL_HASH), textOf(verdicts, "ch2_hash"));
  assert.equal(ask(bytes, vector).ok, booleanOf(verdicts, "leaf_ok"));
  const [machine] = chain;
  const other = machine?.subject ?? new Uint8Array(32);
  const expected = (name: string) => booleanOf(verdicts, name);
  assert.equal(ask(bytes, vector, { presenter: other }).ok, expected("wrong_presenter"));
  assert.equal(ask(bytes, vector, { root: other }).ok, expected("wrong_root"));

  if (chain.length < 3) {
    assert.deepEqual(chain.map(({ depth }) => depth), listOf(verdicts, "depths"));
    assert.deepEqual(chain.map(({ scope }) => scope), listOf(verdicts, "scopes"));
    checkMaking(verdicts);
    return;
  }
  assert.deepEqual(chain.map(({ depth }) => depth), listOf(verdicts, "ch2_depths"));
  assert.deepEqual(chain.map(({ scope }) => scope), listOf(verdicts, "ch2_scopes"));
  const people = [bytesOf(vector, "root_hex"), ...chain.map(({ subject }) => subject)];
  for (const [index, name] of ["root", "machine", "gateway", "subagent"].entries()) {
    const revocations = new RevocationRegistry();
    revocations.revokeBelow(people[index] ?? other, 1);
    const verdict = ask(bytes, vector, { revocations });
    assert.equal(verdict.ok, expected(`revoke_below_1_${name}`), name);
  }
}

const NOW = 1_700_000_000;

/** Chains of the same people, made here: depths that run out, generations, floors. */
function checkMaking(verdicts: VectorObject): void {
  const seed = new Uint8Array(32).fill(0x21);
  const root = createIdentity(seed);
  const machine = deriveChildIdentity(seed, "machine-1");
  const gateway = deriveChildIdentity(seed, "gateway");
  const deps = { nowSeconds: NOW, random: systemRandom };
  const make = (by: Identity, depth?: number) =>
    createGatewayChain(
      { root: by, machine, gateway: gateway.entityId, ttlSeconds: 60, depth },
      deps,
    );
  const shallow = make(root, 1);
  assert.equal(`ok ${shallow.length}`, textOf(verdicts, "max_depth_1"));
  const refused = (chain: TokenChain, leaf: Identity) => {
    try {
      extendToSubagent(chain, leaf, root.entityId, deps);
      return "ok";
    } catch (error) {
      return `token: ${tokenErrorKind(error)}`;
    }
  };
  assert.equal(refused(shallow, gateway), textOf(verdicts, "extend_depth1"));
  assert.equal(refused(make(root), machine), textOf(verdicts, "extend_wrong_signer"));

  const raised = make(root.atGeneration(5));
  assert.deepEqual(
    raised.map(({ issuerGeneration }) => issuerGeneration),
    listOf(verdicts, "generations_in_links"),
  );
  const revocations = new RevocationRegistry();
  const isAccepted = () =>
    recheckTokenChain(raised, {
      presenter: gateway.entityId,
      action: "subscribe",
      channelHash: DELEGATION_CHANNEL_HASH,
      roots: [root.entityId],
      nowSeconds: NOW,
      revocations,
    }).ok;
  revocations.revokeBelow(root.entityId, 5);
  assert.equal(isAccepted(), booleanOf(verdicts, "root_generation_5_floor_5_root_only"));
  assert.equal(revocations.revokeBelow(root.entityId, 1), numberOf(verdicts, "floor_never_lowers"));
  revocations.revokeBelow(root.entityId, 6);
  assert.equal(isAccepted(), booleanOf(verdicts, "root_generation_5_floor_6"));

  for (const length of [0, 1, 168, 169]) {
    const decoded = decodeTokenChain(new Uint8Array(length).fill(1));
    const text = decoded.ok ? "ok" : `token: ${decoded.kind}`;
    assert.equal(text, textOf(verdicts, `from_bytes_${length}`));
  }
}
