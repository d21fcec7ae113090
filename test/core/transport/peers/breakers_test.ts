import assert from "node:assert/strict";
import { Breakers } from "../../../../src/core/transport/peers/breakers.ts";
import {
  BREAKER_FAILURES,
  BREAKER_PAUSE_MAX_MS,
  BREAKER_PAUSE_MS,
} from "../../../../src/core/transport/mesh_limits.ts";

Deno.test("Breakers go through failure, trials and recovery", () => {
  const breakers = new Breakers();
  assert.equal(breakers.state(5, 0), "closed");
  assert.ok(breakers.allows(5, 0, 0));
  breakers.onFailed(5, 100);
  assert.equal(breakers.state(5, 100), "open");
  // Data of a peer without heartbeats does not close it: the failure detector decides.
  assert.ok(!breakers.allows(5, 150, 200));
  const at = 100 + BREAKER_PAUSE_MS;
  assert.equal(breakers.state(5, at), "half-open");
  assert.ok(breakers.allows(5, 0, at), "one trial");
  assert.ok(!breakers.allows(5, 0, at), "and no other");
  assert.ok(!breakers.allows(5, 0, at + 2 * BREAKER_PAUSE_MS - 1), "pauses double");
  assert.ok(breakers.allows(5, 0, at + 2 * BREAKER_PAUSE_MS));
  breakers.close(5);
  assert.ok(breakers.allows(5, 0, at + 2 * BREAKER_PAUSE_MS));
  assert.ok(breakers.allows(4, 0, at), "others are not concerned");
  assert.deepEqual(breakers.counters, {
    breakers_opened_total: 1,
    breakers_closed_total: 1,
    breaker_trials_total: 2,
    drop_breaker_open_total: 3,
  });
});

Deno.test("Breakers never pause longer than the bound", () => {
  const breakers = new Breakers();
  breakers.onFailed(0, 0);
  let now = 0;
  for (let trial = 0; trial < 20; trial++) {
    now += BREAKER_PAUSE_MAX_MS;
    assert.ok(breakers.allows(0, 0, now), `trial ${trial}`);
  }
});

Deno.test("Breakers.onSilence() opens after several reports in a row, any sign of life closes", () => {
  const breakers = new Breakers();
  for (let i = 1; i < BREAKER_FAILURES; i++) breakers.onSilence(1, 0, i);
  assert.equal(breakers.state(1, 10), "closed");
  // It spoke meanwhile: the count begins anew.
  for (let i = 1; i < BREAKER_FAILURES; i++) breakers.onSilence(1, 50, 50 + i);
  assert.equal(breakers.state(1, 60), "closed");
  breakers.onSilence(1, 50, 61);
  assert.equal(breakers.state(1, 62), "open");
  assert.ok(!breakers.allows(1, 50, 62));
  assert.ok(breakers.allows(1, 63, 64));
  assert.equal(breakers.state(1, 64), "closed");
});

Deno.test("Breakers know peers in any slot and none for strangers", () => {
  const breakers = new Breakers();
  breakers.onFailed(1_000, 1);
  breakers.onFailed(-1, 1);
  breakers.onSilence(-1, 0, 1);
  assert.equal(breakers.state(1_000, 1), "open");
  assert.ok(breakers.allows(-1, 0, 1));
});
