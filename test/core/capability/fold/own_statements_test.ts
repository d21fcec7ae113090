import assert from "node:assert/strict";
import {
  type FoldStatement,
  OwnStatements,
  verifyFoldEnvelope,
} from "../../../../src/core/capability/mod.ts";
import { ManualClock } from "../../../sim/manual_clock.ts";
import { identityOf } from "../samples.ts";
import { islandOf } from "./fold_samples.ts";

const identity = identityOf(1);

function start() {
  const clock = new ManualClock();
  return { clock, own: new OwnStatements({ clock, identity }) };
}

const island = (id: bigint, ttlSeconds?: number): FoldStatement => ({
  kind: 4,
  classHash: 0n,
  payload: islandOf({ nodeId: identity.nodeId }, { id }).payload,
  ttlSeconds,
});

const reservation = (untilUs: bigint): FoldStatement => ({
  kind: 3,
  classHash: 0n,
  payload: { resourceId: 5n, state: { kind: "reserved", holder: identity.nodeId, untilUs } },
});

Deno.test("OwnStatements.sign() signs with a generation that grows, over restarts too", async () => {
  const { clock, own } = start();
  const first = own.sign(island(1n));
  const second = own.sign(island(1n));
  assert.equal(verifyFoldEnvelope(first, identity.entityId), undefined);
  assert.ok(second.generation > first.generation);
  const restarted = new OwnStatements({ clock, identity });
  await clock.advance(1_000);
  assert.ok(restarted.sign(island(1n)).generation > second.generation);
});

Deno.test("OwnStatements.due() says everything three times within its life", async () => {
  const { clock, own } = start();
  own.keep(own.sign(island(1n)));
  own.keep(own.sign(island(2n, 300)));
  assert.equal(own.due().length, 0);
  await clock.advance(9_999);
  assert.equal(own.due().length, 0);
  await clock.advance(1);
  const [again, ...more] = own.due();
  assert.equal(more.length, 0);
  assert.ok(again !== undefined && verifyFoldEnvelope(again, identity.entityId) === undefined);
  assert.deepEqual(own.standing()[0], again);
  await clock.advance(90_000);
  assert.equal(own.due().length, 2);
});

Deno.test("OwnStatements keeps a reservation up until its time is over, and nothing that is free", async () => {
  const { clock, own } = start();
  const untilUs = BigInt(Math.round(clock.wallMs() + 25_000)) * 1000n;
  own.keep(own.sign(reservation(untilUs)));
  for (const due of [1, 1, 0, 0]) {
    await clock.advance(10_000);
    assert.equal(own.due().length, due);
  }
  assert.equal(own.size, 0);
  own.keep(own.sign(reservation(untilUs * 2n)));
  own.keep(own.sign({
    kind: 3,
    classHash: 0n,
    payload: { resourceId: 5n, state: { kind: "free" } },
  }));
  assert.equal(own.size, 0);
});

Deno.test("OwnStatements.withdraw() makes a statement that is soon over", () => {
  const { own } = start();
  const said = own.sign(island(1n));
  own.keep(said);
  const last = own.withdraw(4, 1n);
  assert.ok(last !== undefined && last.generation > said.generation && last.ttlSeconds === 1);
  assert.equal(own.withdraw(4, 1n), undefined);
  assert.deepEqual(own.standing(), []);
});

Deno.test("OwnStatements.requireRoom() keeps up no more than peers take", () => {
  const { own } = start();
  for (let id = 0n; id < 100n; id++) own.keep(own.sign(island(id)));
  assert.throws(() => own.requireRoom(own.sign(island(100n))), { code: "limit" });
  own.requireRoom(own.sign(reservation(1n)));
});

Deno.test("OwnStatements.requireRoom() lets change and give back what is kept up, however much it is", () => {
  const { own } = start();
  const held = (resourceId: bigint): FoldStatement => ({
    kind: 3,
    classHash: 0n,
    payload: { resourceId, state: { kind: "active", holder: identity.nodeId, jobId: 1n } },
  });
  for (let id = 0n; id < 100n; id++) own.keep(own.sign(held(id)));
  own.requireRoom(own.sign(held(7n)));
  const free: FoldStatement = {
    kind: 3,
    classHash: 0n,
    payload: { resourceId: 8n, state: { kind: "free" } },
  };
  own.requireRoom(own.sign(free));
  own.keep(own.sign(free));
  own.requireRoom(own.sign(held(100n)));
});
