import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import { RevocationRegistry, REVOKED_ISSUERS_MAX } from "../../../src/channel/mod.ts";
import { MACHINE, OWNER } from "./tokens.ts";

Deno.test("revokeBelow() never lowers a floor", () => {
  const registry = new RevocationRegistry();
  assert.equal(registry.floor(OWNER.entityId), 0);
  assert.equal(registry.revokeBelow(OWNER.entityId, 5), 5);
  assert.equal(registry.revokeBelow(OWNER.entityId, 1), 5);
  assert.equal(registry.revoke(OWNER.entityId), 5);
  assert.equal(registry.floor(OWNER.entityId), 5);
  assert.equal(registry.floor(MACHINE.entityId), 0);
  assert.equal(registry.revoke(MACHINE.entityId), 1);
  assert.equal(registry.revision, 2);
});

Deno.test("isRevoked() refuses below the floor only, and counts", () => {
  const registry = new RevocationRegistry();
  assert.ok(!registry.isRevoked(OWNER.entityId, 0));
  registry.revokeBelow(OWNER.entityId, 0xffff_ffff);
  assert.ok(registry.isRevoked(OWNER.entityId, 0xffff_fffe));
  assert.ok(!registry.isRevoked(OWNER.entityId, 0xffff_ffff));
  assert.ok(!registry.isRevoked(MACHINE.entityId, 0));
  assert.equal(registry.counters.token_dropped_by_generation, 1);
});

Deno.test("floors() lists what is revoked in the order of the issuers", () => {
  const registry = new RevocationRegistry();
  const issuers = [9, 1, 5].map((first) => new Uint8Array(32).fill(first));
  for (const issuer of issuers) registry.revokeBelow(issuer, issuer[0] ?? 0);
  registry.revokeBelow(new Uint8Array(32).fill(7), 0);
  assert.deepEqual(registry.floors().map(({ floor }) => floor), [1, 5, 9]);
  assert.equal(registry.size, 3);
});

Deno.test("revokeBelow() refuses what is no issuer, no floor, or one issuer too many", () => {
  const registry = new RevocationRegistry();
  assert.throws(() => registry.revoke(new Uint8Array(31)), RangeError);
  for (const floor of [-1, 0.5, 2 ** 32, NaN]) {
    assert.throws(() => registry.revokeBelow(OWNER.entityId, floor), RangeError);
  }
  const issuer = new Uint8Array(32);
  for (let i = 0; i < REVOKED_ISSUERS_MAX; i++) {
    new DataView(issuer.buffer).setUint32(0, i);
    registry.revoke(issuer);
  }
  assert.throws(() => registry.revoke(OWNER.entityId), (error) => {
    return error instanceof NetError && error.code === "limit";
  });
  // A floor that is there can still rise.
  assert.equal(registry.revokeBelow(issuer, 2), 2);
});
