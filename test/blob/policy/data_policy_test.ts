import assert from "node:assert/strict";
import {
  dataClaimTags,
  DEFAULT_DATA_POLICY,
  linkBytesPerSecond,
  NO_PULL,
  readDataClaims,
  setDataPolicy,
  showDataPolicy,
  stepHealthGate,
} from "../../../src/blob/mod.ts";

Deno.test("what show prints, set takes, and gives the same policy", () => {
  const changed = setDataPolicy(DEFAULT_DATA_POLICY, [
    ["greedy", "on"],
    ["gravity", "on"],
    ["gravity.chunk_half_life", "90s"],
    ["greedy.scopes", "eu,us"],
    ["cache.cap", "3GiB"],
    ["moves.per_hour_max", "7"],
  ]);
  const settings = showDataPolicy(changed);
  const again = setDataPolicy(DEFAULT_DATA_POLICY, settings.map(({ key, value }) => [key, value]));
  assert.deepEqual(again, changed);
  const different = settings.filter(({ isDefault }) => !isDefault).map(({ key }) => key);
  assert.deepEqual(different, [
    "greedy.enabled",
    "greedy.scopes",
    "gravity.enabled",
    "gravity.chunk_half_life",
    "moves.per_hour_max",
    "cache.cap",
  ]);
  const reset = different.map((key) => [key, "default"] as const);
  assert.deepEqual(setDataPolicy(changed, reset), DEFAULT_DATA_POLICY);
});

Deno.test("sizes and times are spelled as in flags and configuration files", () => {
  const spelled: readonly (readonly [key: string, text: string, same: string])[] = [
    ["cache.cap", "3G", "3GiB"],
    ["cache.cap", "3gb", "3GiB"],
    ["cache.cap", "1.5GiB", "1536MiB"],
    ["cache.cap", "1048576", "1MiB"],
    ["cache.cap", "1048576B", "1MiB"],
    ["moves.rest", "90", "90s"],
    ["moves.rest", "1.5h", "90m"],
    ["moves.rest", "250ms", "250ms"],
  ];
  for (const [key, text, same] of spelled) {
    const set = setDataPolicy(DEFAULT_DATA_POLICY, [[key, text]]);
    assert.deepEqual(set, setDataPolicy(DEFAULT_DATA_POLICY, [[key, same]]), text);
  }
  for (const text of ["3X", "G", "-1G", "1e9", "3iB", "9999999T"]) {
    assert.throws(
      () => setDataPolicy(DEFAULT_DATA_POLICY, [["cache.cap", text]]),
      /must be a size/,
    );
  }
});

Deno.test("everything that moves bytes by itself is off at first, and every setting is shown", () => {
  const { greedy, gravity, overflow, cache } = DEFAULT_DATA_POLICY;
  assert.ok([greedy, gravity, overflow, cache].every(({ isEnabled }) => !isEnabled));
  const fields = Object.values(DEFAULT_DATA_POLICY).flatMap((group) => Object.keys(group));
  assert.equal(showDataPolicy(DEFAULT_DATA_POLICY).length, fields.length);
});

Deno.test("set refuses unknown keys, values out of bounds and what does not fit together", () => {
  const bad: readonly [string, string, RegExp][] = [
    ["overflow.speed", "1", /there is no setting "overflow.speed"/],
    ["overflow", "maybe", /must be on or off/],
    ["overflow.scope", "planet", /one of node, zone, region, mesh/],
    ["overflow.high_water_ratio", "1.5", /a number of 0.01 to 1/],
    ["overflow.low_water_ratio", "0.9", /the node would flap/],
    ["greedy.per_channel_cap", "1KiB", /a size of 1MiB to/],
    ["greedy.per_channel_cap", "11GiB", /must be at least as much/],
    ["gravity.enabled", "on", /gravity needs greedy caching/],
    ["moves.rest", "1week", /a time of 0 to 1d/],
    ["moves.rest", "-5", /a time of/],
    ["moves.per_hour_max", "1e3", /a number of 0 to 8192/],
    ["greedy.scopes", "a,,b", /labels with commas/],
    ["health.healthy_ratio", "0.96", /would flap/],
    ["gravity.emit_threshold_ratio", "NaN", /a number of 1.01 to 10/],
  ];
  for (const [key, value, message] of bad) {
    assert.throws(
      () => setDataPolicy(DEFAULT_DATA_POLICY, [["cache", "on"], [key, value]]),
      (error: Error & { code?: string; next?: string }) =>
        error.code === "usage" && message.test(error.message) && error.next !== undefined,
      `${key}=${value}`,
    );
  }
  assert.ok(!DEFAULT_DATA_POLICY.cache.isEnabled);
});

Deno.test("the link's speed is what was set, or measured, or a gigabit", () => {
  assert.equal(linkBytesPerSecond(DEFAULT_DATA_POLICY), 125_000_000);
  assert.equal(linkBytesPerSecond(DEFAULT_DATA_POLICY, 7), 7);
  const set = setDataPolicy(DEFAULT_DATA_POLICY, [["bandwidth.nic_peak", "1MiB"]]);
  assert.equal(linkBytesPerSecond(set, 7), 1024 ** 2);
});

Deno.test("claims read as they were written; bad ones are nothing", () => {
  const claims = {
    hasStorage: true,
    isUnhealthy: true,
    diskTotalGib: 100,
    diskFreeGib: 3,
    isOverflowing: true,
    greedy: { isEnabled: true, scope: "zone", proximity: 9 },
    gravity: NO_PULL,
  } as const;
  assert.deepEqual(readDataClaims(dataClaimTags(claims)), { ...claims, unknownScopes: 0 });
  const odd = readDataClaims([
    "dataforts.blob.disk_free_gb=-1",
    "dataforts.blob.disk_total_gb=1e9",
    "dataforts.greedy.scope=PLANET",
    "dataforts.gravity.scope=Region",
    "dataforts.gravity.proximity=256",
    "dataforts.blob.storage=1",
  ]);
  assert.deepEqual([odd.diskFreeGib, odd.diskTotalGib, odd.gravity.proximity], [0, 0, 0]);
  assert.deepEqual([odd.greedy.scope, odd.gravity.scope, odd.unknownScopes], ["mesh", "region", 1]);
  assert.equal(odd.hasStorage, false);
});

Deno.test("the health gate does not flap between its marks", () => {
  let [isUnhealthy, changes] = [false, 0];
  for (const used of [94, 96, 94, 86, 94, 95, 86, 84, 86, 94]) {
    const step = stepHealthGate(isUnhealthy, { used, capacity: 100 });
    changes += step.action === "unchanged" ? 0 : 1;
    isUnhealthy = step.isUnhealthy;
  }
  assert.deepEqual([changes, isUnhealthy], [2, false]);
});
