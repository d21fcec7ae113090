/** What is told of heat and room, and how often. */
import assert from "node:assert/strict";
import { HeatRegistry } from "../../../src/blob/mod.ts";
import { BandwidthGate, LinkMeter } from "../../../src/blob/flow/bandwidth_gate.ts";
import { ClaimsAnnouncer } from "../../../src/blob/flow/claims_announcer.ts";
import { HeatAnnouncer } from "../../../src/blob/flow/heat_announcer.ts";
import { BandwidthBucket, nearnessOf, NO_PULL, placeOf } from "../../../src/blob/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

const hexOf = (number: number) => number.toString(16).padStart(64, "0");

function createHeat(roomFor: () => number) {
  const registry = new HeatRegistry({ isEnabled: true, thresholdRatio: 2, halfLifeMs: 60_000 });
  const said: (readonly string[])[] = [];
  const announcer = new HeatAnnouncer(registry, (tags) => {
    if (tags.length > roomFor()) return false;
    said.push(tags);
    return true;
  });
  return { registry, announcer, said };
}

Deno.test("heat is told for the 64 hottest, in one announcement, and then not for half a minute", () => {
  const { registry, announcer, said } = createHeat(() => 64);
  for (let i = 0; i < 100; i++) for (let k = 0; k <= i; k++) registry.bump(hexOf(i), 0);
  announcer.tick(0);
  assert.equal(said.length, 1);
  assert.equal(said[0]?.length, 64);
  assert.ok(said[0]?.includes(`heat:blob:${hexOf(99)}=1.00`));
  registry.bump("ff".repeat(32), 10_000);
  announcer.tick(10_000);
  assert.equal(said.length, 1);
});

Deno.test("heat that does not fit is told in part, and the rest by a later tick", () => {
  let room = 3;
  const { registry, announcer, said } = createHeat(() => room);
  for (let i = 0; i < 8; i++) for (let k = 0; k <= i; k++) registry.bump(hexOf(i), 0);
  announcer.tick(0);
  assert.equal(said.at(-1)?.length, 2);
  assert.equal(registry.counters.failed, 6);
  room = 64;
  announcer.tick(30_000);
  assert.equal(said.at(-1)?.length, 8);
  room = -1;
  for (let i = 8; i < 12; i++) registry.bump(hexOf(i), 60_000);
  announcer.tick(60_000);
  assert.equal(announcer.shown.length, 8);
  assert.equal(registry.counters.emitted, 2 + 6);
});

Deno.test("heat that cools is told a few times and withdrawn, not for ever", () => {
  const { registry, announcer, said } = createHeat(() => 64);
  registry.bump(hexOf(1), 0);
  for (let nowMs = 0; nowMs < 24 * 3_600_000; nowMs += 5_000) announcer.tick(nowMs);
  assert.deepEqual(said.at(-1), []);
  assert.ok(said.length < 10, `${said.length} announcements`);
  assert.equal(registry.size, 0);
  announcer.withdraw();
  assert.deepEqual(announcer.shown, []);
});

Deno.test("claims follow at once, free space in steps and once a minute", () => {
  const said: (readonly string[])[] = [];
  let hasRoom = true;
  const announcer = new ClaimsAnnouncer((tags) => {
    if (hasRoom) said.push(tags);
    return hasRoom;
  });
  const claims = {
    hasStorage: true,
    isUnhealthy: false,
    diskTotalGib: 1_000,
    diskFreeGib: 800,
    isOverflowing: false,
    greedy: NO_PULL,
    gravity: NO_PULL,
  };
  assert.ok(announcer.tell(claims, 0));
  for (let second = 1; second < 600; second++) {
    announcer.tell({ ...claims, diskFreeGib: 800 - (second % 20) }, second * 1_000);
  }
  assert.equal(said.length, 1);
  announcer.tell({ ...claims, diskFreeGib: 700 }, 600_000);
  assert.equal(said.length, 2);
  announcer.tell({ ...claims, diskFreeGib: 400 }, 630_000);
  assert.equal(said.length, 2);
  announcer.tell({ ...claims, diskFreeGib: 400, isUnhealthy: true }, 630_001);
  assert.ok(said.at(-1)?.includes("dataforts:blob-storage-unhealthy"));
  hasRoom = false;
  assert.ok(!announcer.tell(claims, 700_000));
  hasRoom = true;
  assert.ok(announcer.tell(claims, 700_001));
  assert.ok(said.at(-1)?.includes("dataforts.blob.disk_free_gb=800"));
});

Deno.test("a chunk passes a slow link in slices, at its pace", async () => {
  const clock = new ManualClock();
  const options = { fraction: 0.25, peakBytesPerSecond: 400_000, backgroundFraction: 0.25 };
  const gate = new BandwidthGate(clock, new BandwidthBucket(options, clock.now()));
  let isThrough = false;
  const startedAt = clock.now();
  const { signal } = new AbortController();
  void gate.take("background", 1_000_000, signal).then(() => isThrough = true);
  assert.ok(await clock.advanceUntil(() => isThrough, 60_000, 250));
  // A megabyte at a tenth of a megabyte a second.
  assert.ok(clock.now() - startedAt >= 9_000 && clock.now() - startedAt < 20_000);
  const abort = new AbortController();
  const stopped = gate.take("background", 1e9, abort.signal);
  await clock.advance(1_000);
  assert.equal(gate.waiting, 1);
  abort.abort(new Error("off"));
  await assert.rejects(stopped, /off/);
  assert.equal(gate.waiting, 0);
});

Deno.test("the link is as fast as its best transfer of the last hour", () => {
  const meter = new LinkMeter();
  assert.equal(meter.peakAt(0), undefined);
  meter.note(1_000, 1, 0);
  assert.equal(meter.peakAt(0), undefined);
  meter.note(4_000_000, 100, 0);
  meter.note(4_000_000, 400, 700_000);
  assert.equal(meter.peakAt(700_000), 40_000_000);
  assert.equal(meter.peakAt(3_700_000), 10_000_000);
  assert.equal(meter.peakAt(8_000_000), undefined);
});

Deno.test("a place is read from tags, and nearness falls from zone to region to elsewhere", () => {
  assert.deepEqual(placeOf(["zone:b", "zone:a", "region:eu", "scope:region:us"]), {
    region: "us",
    zone: "a",
  });
  assert.deepEqual(placeOf(["zone:", "region:", "zones:x"]), {
    region: undefined,
    zone: undefined,
  });
  const mine = { region: "eu", zone: "a" };
  const zone = nearnessOf(mine, mine, undefined, 200);
  const region = nearnessOf(mine, { region: "eu", zone: "b" }, undefined, 200);
  const other = nearnessOf(mine, { region: "us", zone: "a" }, undefined, 200);
  assert.deepEqual([zone, region, other], [1, 0.5, 0.25]);
  assert.equal(nearnessOf(mine, mine, 200, 200), 0.5);
});
