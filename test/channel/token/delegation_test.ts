import assert from "node:assert/strict";
import {
  createGatewayChain,
  DELEGATION_CHANNEL_HASH,
  deriveChildIdentity,
  encodeTokenChain,
  extendToGateway,
  extendToSubagent,
  grantMachine,
  RevocationRegistry,
  type TokenChain,
  tokenErrorKind,
  verifyDelegation,
} from "../../../src/channel/mod.ts";
import { GATEWAY, issueDeps, MACHINE, NOW, OWNER, STRANGER } from "./tokens.ts";

const OPTIONS = { root: OWNER, machine: MACHINE, gateway: GATEWAY.entityId, ttlSeconds: 600 };

function ask(chain: TokenChain, changes: Partial<Parameters<typeof verifyDelegation>[1]> = {}) {
  return verifyDelegation(encodeTokenChain(chain), {
    presenter: GATEWAY.entityId,
    root: OWNER.entityId,
    nowSeconds: NOW,
    ...changes,
  }).ok;
}

Deno.test("createGatewayChain() makes two links with the usual depths and scopes", () => {
  const chain = createGatewayChain(OPTIONS, issueDeps());
  assert.deepEqual(chain.map(({ depth, scope }) => [depth, scope]), [[4, 10], [3, 10]]);
  assert.ok(chain.every(({ channelHash }) => channelHash === DELEGATION_CHANNEL_HASH));
  assert.ok(ask(chain));
  assert.ok(!ask(chain, { presenter: MACHINE.entityId }));
  assert.ok(!ask(chain, { root: MACHINE.entityId }));
  assert.ok(!ask(chain, { nowSeconds: NOW + 600 }));
  assert.ok(ask(chain, { nowSeconds: NOW + 600, skewSeconds: 60 }));
});

Deno.test("grantMachine() and extendToGateway() make the same chain on two machines", () => {
  const deps = { nowSeconds: NOW, random: (length: number) => new Uint8Array(length) };
  const grant = grantMachine(OWNER, { machine: MACHINE.entityId, ttlSeconds: 600 }, deps);
  const chain = extendToGateway(grant, MACHINE, GATEWAY.entityId, deps);
  assert.deepEqual(chain, createGatewayChain(OPTIONS, deps));
});

Deno.test("extendToSubagent() adds a link that goes no further", () => {
  const chain = createGatewayChain(OPTIONS, issueDeps());
  const longer = extendToSubagent(chain, GATEWAY, STRANGER.entityId, issueDeps());
  assert.deepEqual(longer.map(({ depth, scope }) => [depth, scope]), [[4, 10], [3, 10], [2, 2]]);
  assert.ok(ask(longer, { presenter: STRANGER.entityId }));
  const refused = (run: () => unknown) => {
    try {
      run();
    } catch (error) {
      return tokenErrorKind(error);
    }
    return undefined;
  };
  const further = () => extendToSubagent(longer, STRANGER, OWNER.entityId, issueDeps());
  assert.equal(refused(further), "delegation_not_allowed");
  const stranger = () => extendToSubagent(chain, STRANGER, OWNER.entityId, issueDeps());
  assert.equal(refused(stranger), "not_authorized");
  const shallow = createGatewayChain({ ...OPTIONS, depth: 1 }, issueDeps());
  const deeper = () => extendToSubagent(shallow, GATEWAY, STRANGER.entityId, issueDeps());
  assert.equal(refused(deeper), "delegation_exhausted");
});

Deno.test("verifyDelegation() refuses after any issuer of the chain was revoked", () => {
  const chain = createGatewayChain(OPTIONS, issueDeps());
  for (const [issuer, isAccepted] of [[OWNER, false], [MACHINE, false], [GATEWAY, true]] as const) {
    const revocations = new RevocationRegistry();
    revocations.revoke(issuer.entityId);
    assert.equal(ask(chain, { revocations }), isAccepted);
  }
});

Deno.test("deriveChildIdentity() is the same every time and another for each label", () => {
  const seed = new Uint8Array(32).fill(1);
  const ids = ["a", "b", ""].map((label) => deriveChildIdentity(seed, label).nodeId);
  assert.equal(new Set(ids).size, 3);
  assert.equal(deriveChildIdentity(seed, "a").nodeId, ids[0]);
});
