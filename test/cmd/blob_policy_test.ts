/** Verbs about the policy of blobs. */
import assert from "node:assert/strict";
import { runInMemory } from "./_harness.ts";

const SETTINGS = [
  { key: "overflow.enabled", value: "on", is_default: false, about: "hand cold chunks to peers" },
  { key: "overflow.scope", value: "mesh", is_default: true, about: "how far chunks go" },
];

Deno.test("blob policy show prints every setting, changed ones with a star", async () => {
  const node = { "blob.policy_show": { settings: SETTINGS } };
  const { code, stdout } = await runInMemory(["blob", "policy", "show"], { node });
  assert.equal(code, 0);
  assert.equal(
    stdout,
    "SETTING           VALUE  WHAT IT DOES\n" +
      "overflow.enabled  on *   hand cold chunks to peers\n" +
      "overflow.scope    mesh   how far chunks go\n",
  );
  const changed = await runInMemory(["blob", "policy", "show", "--changed", "--json"], {
    node,
  });
  assert.deepEqual(JSON.parse(changed.stdout).settings, [SETTINGS[0]]);
});

Deno.test("blob policy show prints what was asked for, a setting or a group", async () => {
  const settings = [...SETTINGS, { ...SETTINGS[1], key: "gravity.scope" }];
  const node = { "blob.policy_show": { settings } };
  const show = async (...keys: string[]) => {
    const { stdout } = await runInMemory(["blob", "policy", "show", ...keys, "--json"], { node });
    return JSON.parse(stdout).settings.map(({ key }: { readonly key: string }) => key);
  };
  assert.deepEqual(await show("overflow"), ["overflow.enabled", "overflow.scope"]);
  assert.deepEqual(await show("gravity.scope"), ["gravity.scope"]);
  assert.deepEqual(await show("overflow.scope", "gravity"), ["overflow.scope", "gravity.scope"]);
  const none = await runInMemory(["blob", "policy", "show", "over"], { node });
  assert.equal(none.code, 2);
  assert.match(none.stderr, /there is no setting "over"/);
});

Deno.test("blob policy set takes pairs, and refuses what is none before it asks the node", async () => {
  const node = { "blob.policy_set": { changed: ["overflow.enabled"], settings: SETTINGS } };
  const set = await runInMemory(["blob", "policy", "set", "overflow=on", "greedy.scopes=a=b"], {
    node,
  });
  assert.equal(set.code, 0);
  assert.deepEqual(set.calls[0]?.params, {
    settings: [["overflow", "on"], ["greedy.scopes", "a=b"]],
  });
  assert.match(set.stdout, /^overflow.enabled +on \*/m);
  assert.doesNotMatch(set.stdout, /overflow.scope/);
  const bad = await runInMemory(["blob", "policy", "set", "overflow"], { node });
  assert.equal(bad.code, 2);
  assert.match(bad.stderr, /"overflow" is no KEY=VALUE/);
  assert.match(bad.stderr, /next: see the settings with net blob policy show/);
  assert.deepEqual(bad.calls, []);
});

Deno.test("blob policy reset says when there was nothing to change", async () => {
  const node = { "blob.policy_reset": { changed: [], settings: SETTINGS } };
  const { stdout, calls } = await runInMemory(["blob", "policy", "reset"], { node });
  assert.equal(stdout, "nothing changed\n");
  assert.deepEqual(calls[0]?.params, { keys: [] });
});

Deno.test("blob policy status says what is on, what moved and what is hot", async () => {
  const counters = { pushes_admitted: 3, pushed_bytes: 12_582_912, push_errors: 1, dropped: 2 };
  const node = {
    "blob.flow_status": {
      overflow: { adapter: "mesh", config: { enabled: true }, active: true, counters },
      disk: { used_bytes: 1_048_576, capacity_bytes: null },
      moves: { last_hour: 4, left: 508, per_hour_max: 512 },
      heat: { size: 1, announced: 1, hottest: [{ hash: "ab".repeat(32), rate: 2.5 }] },
      gravity: { enabled: true, scope: "zone", pulled: 7, failed: 1 },
      greedy: { enabled: false, scope: "mesh", channels: 0, bytes: 0 },
      cache: { enabled: false, chunks: 0, bytes: 0 },
      spilled_chunks: 2,
      promised: { chunks: 0, bytes: 0 },
      link_bytes_per_second: 125_000_000,
    },
  };
  const { code, stdout } = await runInMemory(["blob", "policy", "status"], { node });
  assert.equal(code, 0);
  assert.match(stdout, /^moves this hour +4 of 512$/m);
  assert.match(stdout, /^overflow +shedding$/m);
  assert.match(stdout, /^gravity +on, from zone$/m);
  assert.match(stdout, /^greedy +off$/m);
  assert.match(stdout, /^ +with others only +2$/m);
  assert.match(stdout, /^2\.5 +(ab){32}$/m);
  const { stdout: json } = await runInMemory(["blob", "policy", "status", "--json"], { node });
  assert.equal(JSON.parse(json).schema, "net.blob.policy.status.v1");
});
