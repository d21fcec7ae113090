import assert from "node:assert/strict";
import { POLICIES_MAX, SealingPolicies } from "../../src/services/sealing_policies.ts";

const ENTITY = new Uint8Array(32).fill(1);
const OTHER = new Uint8Array(32).fill(2);

Deno.test("SealingPolicies keeps what was proven, however many nodes are told of", () => {
  const policies = new SealingPolicies();
  assert.equal(policies.pin(1n, ENTITY), true);
  for (let i = 0; i <= 2 * POLICIES_MAX; i++) {
    policies.tell(BigInt(i), { knownEntityId: OTHER, isRequired: true });
  }
  assert.deepEqual(policies.get(1n), { knownEntityId: ENTITY, isRequired: true });
  assert.equal(policies.get(2n), undefined);
  assert.equal(policies.get(BigInt(2 * POLICIES_MAX))?.isRequired, true);
});

Deno.test("SealingPolicies keeps the pins that were proven last", () => {
  const policies = new SealingPolicies();
  for (let i = 0; i < POLICIES_MAX; i++) policies.pin(BigInt(i), ENTITY);
  assert.equal(policies.pin(0n, ENTITY), false);
  policies.pin(1_000_000n, ENTITY);
  assert.equal(policies.get(0n)?.isRequired, true);
  assert.equal(policies.get(1n), undefined);
});

Deno.test("SealingPolicies.tell() takes back neither a proof nor that a node has to seal", () => {
  const policies = new SealingPolicies();
  policies.tell(1n, { knownEntityId: ENTITY, isRequired: true });
  policies.tell(1n, { knownEntityId: ENTITY, isRequired: false });
  assert.equal(policies.get(1n)?.isRequired, true);
  policies.pin(2n, ENTITY);
  policies.tell(2n, { knownEntityId: OTHER, isRequired: false });
  assert.deepEqual(policies.get(2n), { knownEntityId: ENTITY, isRequired: true });
});

Deno.test("SealingPolicies.forget() forgets both", () => {
  const policies = new SealingPolicies();
  policies.pin(1n, ENTITY);
  policies.tell(2n, { isRequired: false });
  assert.deepEqual([policies.forget(1n), policies.forget(2n), policies.forget(3n)], [
    true,
    true,
    false,
  ]);
  assert.deepEqual([policies.get(1n), policies.get(2n)], [undefined, undefined]);
});
