/** Identities, tokens and delegation chains between us and the Rust core, in both directions. */
import assert from "node:assert/strict";
import { systemRandom } from "../../src/base/mod.ts";
import {
  createGatewayChain,
  decodeToken,
  decodeTokenChain,
  delegateToken,
  DELEGATION_CHANNEL_HASH,
  encodeToken,
  encodeTokenChain,
  extendToSubagent,
  type IssueDeps,
  issueToken,
  parseScope,
  raiseRevocationFloor,
  RevocationRegistry,
  scopeNames,
  type Token,
  TOKEN_SCOPE_NAMES,
  type TokenChain,
  tokenTranscript,
  verifyDelegation,
  verifyToken,
} from "../../src/channel/mod.ts";
import {
  createIdentity,
  decodeIdentityState,
  deriveChannelHash,
  deriveChildSeed,
  encodeIdentityState,
  type Identity,
} from "../../src/core/crypto/mod.ts";
import { type LineProcess, startLineProcess } from "./line_process.ts";
import { rustPeerTest } from "./rust_peer.ts";
import type { Floor, Signer, TokenOperations } from "./token_peer_process.ts";

type Peer = LineProcess<TokenOperations>;

function startPeer(): Peer {
  const program = new URL("./token_peer_process.ts", import.meta.url);
  return startLineProcess<TokenOperations>(program, { name: "Rust tokens" });
}

const CHANNEL = "gated/x";

function signer(byte: number, generation = 0): Signer & { readonly identity: Identity } {
  const seed = new Uint8Array(32).fill(byte);
  return { seed, generation, identity: createIdentity(seed, generation) };
}

const ROOT = signer(0x21, 5);
const MACHINE = signer(0x33, 3);
const GATEWAY = signer(0x09);
const AGENT = signer(0x44);

function now(): IssueDeps & { readonly nowSeconds: number } {
  return { nowSeconds: Math.floor(Date.now() / 1000), random: systemRandom };
}

function decode(bytes: Uint8Array): Token {
  const decoded = decodeToken(bytes);
  assert.ok(decoded.ok);
  return decoded.token;
}

function decodeChain(bytes: Uint8Array): TokenChain {
  const decoded = decodeTokenChain(bytes);
  assert.ok(decoded.ok);
  return decoded.chain;
}

rustPeerTest("state bytes and child seeds are the same on both sides", async () => {
  await using peer = startPeer();
  for (const generation of [0, 1, 7, 0xffff_ffff]) {
    const seed = systemRandom(32);
    const bytes = await peer.call("encodeState", { seed, generation });
    assert.deepEqual(
      new Uint8Array(bytes),
      encodeIdentityState({ seed, issuerGeneration: generation }),
    );
    const found = await peer.call("decodeState", { bytes });
    assert.deepEqual(decodeIdentityState(bytes), {
      ok: true,
      state: { seed: new Uint8Array(found.seed), issuerGeneration: found.generation },
    });
    for (const label of ["machine-1", "", "agent/α", "x".repeat(2000)]) {
      const child = await peer.call("childSeed", { seed, label });
      assert.deepEqual(new Uint8Array(child), deriveChildSeed(seed, label));
    }
  }
});

rustPeerTest("tokens of the Rust core verify here and say what was asked", async () => {
  await using peer = startPeer();
  const subject = GATEWAY.identity.entityId;
  for (let bits = 1; bits < 32; bits++) {
    const scope = TOKEN_SCOPE_NAMES.filter((_, i) => (bits & (1 << i)) !== 0);
    const ask = { by: ROOT, subject, scope, channel: CHANNEL, ttlSeconds: 60, depth: bits };
    const token = decode(await peer.call("issue", ask));
    assert.equal(verifyToken(token, now()), undefined);
    assert.deepEqual(
      [token.scope, token.channelHash, token.issuerGeneration, token.depth],
      [bits, deriveChannelHash(CHANNEL), 5, bits],
    );
    assert.equal(token.notAfterSeconds - token.notBeforeSeconds, 60n);
    assert.deepEqual(token.issuer, ROOT.identity.entityId);
  }
});

rustPeerTest(
  "our tokens verify in the Rust core, which reads every field as we wrote it",
  async () => {
    await using peer = startPeer();
    for (let bits = 0; bits < 32; bits++) {
      const token = issueToken(ROOT.identity, {
        subject: GATEWAY.identity.entityId,
        scope: bits,
        channelHash: deriveChannelHash(CHANNEL),
        ttlSeconds: 1 + bits * 1_000_000,
        depth: bits * 8,
      }, now());
      const bytes = encodeToken(token);
      assert.equal(await peer.call("verify", { token: bytes }), true);
      const read = await peer.call("parse", { token: bytes });
      assert.deepEqual(read.scope, scopeNames(bits));
      assert.deepEqual(
        [new Uint8Array(read.issuer), new Uint8Array(read.subject), read.channelHash, read.nonce],
        [token.issuer, token.subject, token.channelHash, token.nonce],
      );
      assert.deepEqual(
        [read.notBefore, read.notAfter, read.delegationDepth, read.issuerGeneration],
        [token.notBeforeSeconds, token.notAfterSeconds, token.depth, token.issuerGeneration],
      );
      bytes[80] = (bytes[80] ?? 0) ^ 1;
      assert.equal(await peer.call("verify", { token: bytes }), false);
    }
  },
);

rustPeerTest("each side passes the other's tokens on, at its own generation", async () => {
  await using peer = startPeer();
  const subject = MACHINE.identity.entityId;
  const scope = ["subscribe", "publish", "delegate"];
  const asked = { by: ROOT, subject, scope, channel: CHANNEL, ttlSeconds: 60, depth: 3 };
  const theirs = decode(await peer.call("issue", asked));
  const ours = issueToken(ROOT.identity, {
    subject,
    scope: parseScope(scope) ?? 0,
    channelHash: deriveChannelHash(CHANNEL),
    ttlSeconds: 60,
    depth: 3,
  }, now());
  const next = { subject: GATEWAY.identity.entityId, scope: 6 };
  const byUs = delegateToken(theirs, MACHINE.identity, next, now());
  assert.equal(await peer.call("verify", { token: encodeToken(byUs) }), true);
  const byThem = decode(
    await peer.call("delegate", {
      by: MACHINE,
      parent: encodeToken(ours),
      subject: next.subject,
      scope: ["subscribe", "admin"],
    }),
  );
  assert.equal(verifyToken(byThem, now()), undefined);
  for (const child of [byUs, byThem]) {
    assert.deepEqual([child.scope, child.depth, child.issuerGeneration], [2, 2, 3]);
    assert.equal(child.notAfterSeconds, (child === byUs ? theirs : ours).notAfterSeconds);
  }
});

rustPeerTest("each side refuses to pass on what the other refuses", async () => {
  await using peer = startPeer();
  const cases: readonly [Signer, string, Partial<Token>][] = [
    [GATEWAY, "not_authorized", {}],
    [MACHINE, "delegation_exhausted", { depth: 0 }],
    [MACHINE, "delegation_not_allowed", { scope: 2 }],
    [MACHINE, "expired", { notAfterSeconds: BigInt(now().nowSeconds - 1) }],
    [MACHINE, "not_yet_valid", { notBeforeSeconds: BigInt(now().nowSeconds + 50) }],
    // The first check that fails decides.
    [GATEWAY, "delegation_exhausted", { depth: 0, scope: 2 }],
    [GATEWAY, "delegation_not_allowed", { scope: 2 }],
    [GATEWAY, "expired", { depth: 0, notAfterSeconds: BigInt(now().nowSeconds - 1) }],
  ];
  const good = issueToken(ROOT.identity, {
    subject: MACHINE.identity.entityId,
    scope: 10,
    channelHash: 1n,
    ttlSeconds: 100,
    depth: 2,
  }, now());
  const subject = AGENT.identity.entityId;
  for (const [by, kind, changes] of cases) {
    const changed = { ...good, ...changes };
    const parent = { ...changed, signature: ROOT.identity.sign(tokenTranscript(changed)) };
    const message = new RegExp(`token: ${kind}$`);
    const identity = createIdentity(by.seed, by.generation);
    assert.throws(() => delegateToken(parent, identity, { subject, scope: 2 }, now()), message);
    const asked = { by, parent: encodeToken(parent), subject, scope: ["subscribe"] };
    await assert.rejects(peer.call("delegate", asked), message);
  }
});

rustPeerTest("delegation chains are made and judged alike on both sides", async () => {
  await using peer = startPeer();
  const subagent = AGENT.identity.entityId;
  const theirs = await peer.call("gatewayChain", {
    root: ROOT,
    machine: MACHINE,
    gateway: GATEWAY,
    ttlSeconds: 100,
  });
  const ours = createGatewayChain({
    root: ROOT.identity,
    machine: MACHINE.identity,
    gateway: GATEWAY.identity.entityId,
    ttlSeconds: 100,
  }, now());
  const shape = (chain: TokenChain) =>
    chain.map((token) => ({
      ...token,
      nonce: 0n,
      signature: 0,
      notBeforeSeconds: 0n,
      notAfterSeconds: 0n,
    }));
  assert.deepEqual(shape(decodeChain(theirs)), shape(ours));
  assert.ok(ours.every(({ channelHash }) => channelHash === DELEGATION_CHANNEL_HASH));

  const oursLonger = extendToSubagent(ours, GATEWAY.identity, subagent, now());
  const mixed = extendToSubagent(decodeChain(theirs), GATEWAY.identity, subagent, now());
  const theirsLonger = await peer.call("extendToSubagent", {
    chain: encodeTokenChain(ours),
    leaf: GATEWAY,
    subagent,
  });
  assert.deepEqual(shape(decodeChain(theirsLonger)), shape(oursLonger));

  const [gateway, root] = [GATEWAY.identity.entityId, ROOT.identity.entityId];
  const floors: readonly (readonly Floor[])[] = [
    [],
    [{ issuer: root, floor: 5 }],
    [{ issuer: root, floor: 6 }],
    [{ issuer: MACHINE.identity.entityId, floor: 4 }],
    [{ issuer: gateway, floor: 1 }],
    [{ issuer: subagent, floor: 1 }],
  ];
  const chains: readonly (readonly [Uint8Array, Uint8Array])[] = [
    [theirs, gateway],
    [encodeTokenChain(ours), gateway],
    [encodeTokenChain(oursLonger), subagent],
    [encodeTokenChain(mixed), subagent],
    [theirsLonger, subagent],
    [theirs, subagent],
  ];
  let accepted = 0;
  for (const [chain, presenter] of chains) {
    for (const list of floors) {
      for (const trusted of [root, MACHINE.identity.entityId]) {
        const revocations = new RevocationRegistry();
        for (const { issuer, floor } of list) revocations.revokeBelow(issuer, floor);
        const { nowSeconds } = now();
        const verdict = verifyDelegation(chain, {
          presenter,
          root: trusted,
          nowSeconds,
          revocations,
        });
        const question = { chain, presenter, root: trusted, floors: list, skewSeconds: 0 };
        assert.equal(await peer.call("verifyChain", question), verdict.ok);
        if (verdict.ok) accepted += 1;
      }
    }
  }
  // Two links stand under four of the lists of floors, three links under three.
  assert.equal(accepted, 2 * 4 + 3 * 3);
});

rustPeerTest("clock differences are forgiven alike; only we stop at five minutes", async () => {
  await using peer = startPeer();
  const root = ROOT.identity;
  const presenter = GATEWAY.identity.entityId;
  const judge = async (endedAgo: number, skewSeconds: number) => {
    const { nowSeconds } = now();
    const chain = encodeTokenChain(createGatewayChain({
      root,
      machine: MACHINE.identity,
      gateway: presenter,
      ttlSeconds: 100,
    }, { ...now(), nowSeconds: nowSeconds - 100 - endedAgo }));
    const question = { presenter, root: root.entityId, skewSeconds };
    const { ok } = verifyDelegation(chain, { ...question, nowSeconds });
    return [ok, await peer.call("verifyChain", { chain, floors: [], ...question })];
  };
  for (const [endedAgo, skewSeconds] of [[10, 0], [10, 60], [250, 300], [350, 300]] as const) {
    const isForgiven = endedAgo < skewSeconds;
    assert.deepEqual(await judge(endedAgo, skewSeconds), [isForgiven, isForgiven]);
  }
  // The core's delegation takes the argument as it is; section 3 bounds it, so that is what we do.
  assert.deepEqual(await judge(350, 900), [false, true]);
});

rustPeerTest("the Rust core reads the revocations file that we write", async () => {
  await using peer = startPeer();
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/delegation-revocations.json`;
    const floors = [ROOT, MACHINE, GATEWAY].map(({ identity }, i) => ({
      issuer: identity.entityId,
      floor: [1, 0xffff_ffff, 7][i] ?? 0,
    }));
    for (const floor of floors) await raiseRevocationFloor(path, floor);
    const issuers = [...floors.map(({ issuer }) => issuer), AGENT.identity.entityId];
    assert.deepEqual(await peer.call("loadRevocations", { path, issuers }), [1, 0xffff_ffff, 7, 0]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
