import assert from "node:assert/strict";
import {
  ChainStanding,
  createChannelConfig,
  encodeTokenChain,
  issueToken,
  PublisherGate,
  requireChannelId,
  RevocationRegistry,
  TOKEN_SCOPES,
} from "../../../src/channel/mod.ts";
import { NetError } from "../../../src/base/mod.ts";
import { createIdentity } from "../../../src/core/crypto/mod.ts";

const NOW = 1_700_000_000;
const owner = createIdentity(new Uint8Array(32).fill(0x21));
const subject = createIdentity(new Uint8Array(32).fill(9));
const channel = requireChannelId("gated/x");
const deps = { nowSeconds: NOW, random: (length: number) => new Uint8Array(length) };

function chainOf(scope: number): Uint8Array {
  return encodeTokenChain([issueToken(owner, {
    subject: subject.entityId,
    scope,
    channelHash: channel.hash,
    ttlSeconds: 100,
  }, deps)]);
}

const question = {
  presenter: subject.entityId,
  action: "subscribe",
  channelHash: channel.hash,
  roots: [owner.entityId],
} as const;

Deno.test("ChainStanding.verify() wants signatures; holds() ends with the chain's time", () => {
  const revocations = new RevocationRegistry();
  const at = (seconds: number) => ({ nowSeconds: NOW + seconds, revocations });
  const chain = chainOf(TOKEN_SCOPES.subscribe);
  const standing = ChainStanding.verify(chain, question, at(0)) ?? assert.fail();
  assert.ok(standing.holds(at(0)));
  assert.ok(standing.holds(at(99)));
  assert.ok(!standing.holds(at(100)));
  chain[chain.length - 1] = (chain.at(-1) ?? 0) ^ 1;
  assert.equal(ChainStanding.verify(chain, question, at(0)), undefined);
});

Deno.test("ChainStanding.isOf() knows its chain and question, and no others", () => {
  const moment = { nowSeconds: NOW, revocations: new RevocationRegistry() };
  const chain = chainOf(TOKEN_SCOPES.subscribe);
  const standing = ChainStanding.verify(chain, question, moment) ?? assert.fail();
  assert.ok(standing.isOf(chain, question));
  assert.ok(!standing.isOf(chain.with(7, 1), question));
  assert.ok(!standing.isOf(chain.subarray(1), question));
  for (
    const other of [
      { ...question, action: "publish" },
      { ...question, channelHash: 1n },
      { ...question, presenter: owner.entityId },
      { ...question, roots: [] },
    ] as const
  ) assert.ok(!standing.isOf(chain, other));
});

Deno.test("ChainStanding.holds() sees a revocation in the same second", () => {
  const revocations = new RevocationRegistry();
  const moment = { nowSeconds: NOW, revocations };
  const standing = ChainStanding.verify(chainOf(TOKEN_SCOPES.subscribe), question, moment) ??
    assert.fail();
  assert.ok(standing.holds(moment));
  revocations.revoke(owner.entityId);
  assert.ok(!standing.holds(moment));
});

Deno.test("PublisherGate.pass() wants tags, and a chain unless the node is a root itself", () => {
  const moment = { nowSeconds: NOW, revocations: new RevocationRegistry() };
  const config = createChannelConfig("gated/x", {
    tokenRoots: [owner.entityId],
    publishTags: ["speaker"],
  });
  const gate = new PublisherGate(channel, config);
  const facts = { entityId: subject.entityId, tags: ["speaker"], chain: undefined };
  const isDenied = (error: unknown) =>
    error instanceof NetError && error.code === "not_allowed" &&
    error.message.startsWith("publish denied by channel ACL");
  assert.throws(() => gate.pass({ ...facts, tags: [] }, moment), isDenied);
  assert.throws(() => gate.pass(facts, moment), isDenied);
  gate.pass({ ...facts, entityId: owner.entityId }, moment);
  const reading = chainOf(TOKEN_SCOPES.subscribe);
  assert.throws(() => gate.pass({ ...facts, chain: reading }, moment), isDenied);
  const chain = chainOf(TOKEN_SCOPES.publish);
  gate.pass({ ...facts, chain }, moment);
  assert.throws(
    () => gate.pass({ ...facts, chain }, { ...moment, nowSeconds: NOW + 100 }),
    isDenied,
  );
});
