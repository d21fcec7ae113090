import assert from "node:assert/strict";
import { DEFAULT_DATA_POLICY } from "../../../src/blob/mod.ts";
import { openLedger, writeSetting } from "../../../src/core/ledger/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import { createPolicyMemory, PolicyService, readKeptPolicy } from "../../../src/services/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

function createService(ledger: ReturnType<typeof openLedger>): PolicyService {
  const memory = createPolicyMemory(ledger);
  return new PolicyService({ clock: new ManualClock(), log: silentLog, memory });
}

Deno.test("PolicyService keeps what was set over restarts, and nothing that was not", async () => {
  const ledger = openLedger({ path: ":memory:" });
  const first = createService(ledger);
  await first.start();
  assert.deepEqual(first.current, DEFAULT_DATA_POLICY);
  assert.deepEqual(await first.set([["overflow", "true"], ["overflow.scope", "zone"]]), [
    "overflow.enabled",
    "overflow.scope",
  ]);
  const second = createService(ledger);
  await second.start();
  assert.deepEqual(second.current, first.current);
  assert.ok(second.current.overflow.isEnabled);
  assert.deepEqual(await second.reset(["overflow.scope"]), ["overflow.scope"]);
  await second.set([["overflow.scope", "zone"], ["cache", "on"]]);
  assert.deepEqual(await second.reset(["overflow"]), ["overflow.enabled", "overflow.scope"]);
  await assert.rejects(second.reset(["overflows"]), { code: "usage" });
  assert.deepEqual(await second.reset(), ["cache.enabled"]);
  assert.deepEqual(await second.reset(), []);
  const third = createService(ledger);
  await third.start();
  assert.deepEqual(third.current, DEFAULT_DATA_POLICY);
  await ledger.close();
});

Deno.test("PolicyService tells of changes only, and of none that was refused", async () => {
  const ledger = openLedger({ path: ":memory:" });
  const service = createService(ledger);
  await service.start();
  const seen: boolean[] = [];
  const off = service.onChange((policy) => seen.push(policy.greedy.isEnabled));
  await service.set([["greedy", "on"]]);
  assert.deepEqual(await service.set([["greedy", "on"]]), []);
  await assert.rejects(service.set([["cache", "on"], ["gravity.speed", "1"]]), { code: "usage" });
  assert.ok(!service.current.cache.isEnabled);
  await Promise.all([service.set([["greedy", "off"]]), service.set([["cache", "on"]])]);
  assert.ok(!service.current.greedy.isEnabled && service.current.cache.isEnabled);
  off();
  await service.reset();
  assert.deepEqual(seen, [true, false, false]);
  await ledger.close();
});

Deno.test("PolicyService changes nothing that it could not write", async () => {
  const memory = {
    read: () => Promise.resolve({ policy: DEFAULT_DATA_POLICY, unknownKeys: [] }),
    write: () => Promise.reject(new Error("disk I/O error")),
  };
  const service = new PolicyService({ clock: new ManualClock(), log: silentLog, memory });
  await service.start();
  await assert.rejects(service.set([["overflow", "on"]]), /disk I\/O error/);
  assert.ok(!service.current.overflow.isEnabled);
  await service.stop();
});

Deno.test("readKeptPolicy() leaves out what another version wrote and refuses what is damaged", async () => {
  const kept = readKeptPolicy('[["overflow.enabled","on"],["gravity.speed","9"]]');
  assert.ok(kept.policy.overflow.isEnabled);
  assert.deepEqual(kept.unknownKeys, ["gravity.speed"]);
  for (const text of ["", "{}", '[["overflow.enabled","perhaps"]]', '[["gravity.enabled","on"]]']) {
    assert.throws(() => readKeptPolicy(text), { code: "data_dir_unusable" }, text);
  }
  const ledger = openLedger({ path: ":memory:" });
  await writeSetting(ledger.db, "data_policy", "[1]");
  await assert.rejects(createService(ledger).start(), { code: "data_dir_unusable" });
  await ledger.close();
});
