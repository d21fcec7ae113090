import assert from "node:assert/strict";
import { AuthDomain, AuthGuard, channelId } from "../../../src/channel/mod.ts";
import { createOpenGuard, openRedex, type RedexConfig } from "../../../src/log/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import {
  bytes,
  createKitOf,
  createRedexKit,
  described,
  drained,
  isRedexError,
  numbered,
  STORE_KINDS,
} from "./redex_kit.ts";

Deno.test("a channel is opened once, and its configuration is the first one's", async () => {
  await using kit = createRedexKit();
  const [a, b] = await Promise.all([
    kit.redex.open("a", { retention: { eventsMax: 1 } }),
    kit.redex.open("a", { retention: { eventsMax: 9 } }),
  ]);
  assert.equal(a, b);
  assert.equal(kit.redex.get("a"), a);
  assert.deepEqual(a.stat().retention, { eventsMax: 1 });
  assert.equal(kit.count("opens_total"), 1);
  await assert.rejects(kit.redex.open("a", { isPersistent: true }), isRedexError("config"));
});

Deno.test("a closed channel is opened anew", async () => {
  await using kit = createRedexKit();
  const first = await kit.redex.open("a");
  first.append(bytes("x"));
  const closing = first.close();
  assert.equal(kit.redex.get("a"), undefined);
  const second = await kit.redex.open("a");
  await closing;
  assert.notEqual(first, second);
  assert.equal(second.nextSeq, 0n, "memory forgets");
  assert.equal(kit.redex.get("a"), second);
});

Deno.test("names are those of channels", async () => {
  await using kit = createRedexKit();
  for (const name of ["", "/a", "a/", "a//b", "A", "a/../b", ".", "a b", "x".repeat(256)]) {
    await assert.rejects(kit.redex.open(name), isRedexError("channel"), name);
    await assert.rejects(kit.redex.remove(name), isRedexError("channel"), name);
  }
  for (const name of ["b/c", "b", "a.b-c_9"]) await kit.redex.open(name);
  assert.deepEqual(await kit.redex.names(), ["a.b-c_9", "b", "b/c"]);
});

Deno.test("removing a channel ends it", async () => {
  await using kit = createRedexKit();
  const file = await kit.redex.open("a");
  const taken = file.tail().take(1);
  assert.equal(await kit.redex.remove("a"), true);
  assert.equal(await taken, undefined);
  assert.throws(() => file.append(bytes("x")), isRedexError("closed"));
  assert.equal(await kit.redex.remove("a"), false);
  assert.deepEqual(await kit.redex.names(), []);
});

Deno.test("so many files are open at once, and no more", async () => {
  await using kit = createRedexKit({ filesMax: 2 });
  const a = await kit.redex.open("a");
  await kit.redex.open("b");
  await kit.redex.open("a");
  await assert.rejects(kit.redex.open("c"), isRedexError("limit"));
  assert.equal(kit.count("open_limit_total"), 1);
  await a.close();
  await kit.redex.open("c");
  assert.equal(kit.count("files_open"), 2);
});

Deno.test("a guard lets exactly the listed names in", async () => {
  const list = new AuthGuard();
  const id = channelId("lab/x");
  assert.ok(id);
  list.allow(AuthDomain.OriginHash, 7n, id);
  await using kit = createRedexKit({ guard: createOpenGuard(list, AuthDomain.OriginHash, 7n) });
  await kit.redex.open("lab/x");
  for (const name of ["lab", "lab/x/y", "lab/y"]) {
    await assert.rejects(kit.redex.open(name), isRedexError("unauthorized"), name);
    await assert.rejects(kit.redex.remove(name), isRedexError("unauthorized"), name);
  }
  assert.equal(kit.count("open_unauthorized_total"), 6);
  await using other = createRedexKit({ guard: createOpenGuard(list, AuthDomain.NodeId, 7n) });
  await assert.rejects(other.redex.open("lab/x"), isRedexError("unauthorized"));
});

Deno.test("a channel on disk needs a folder", async () => {
  await using kit = createRedexKit();
  await assert.rejects(kit.redex.open("a", { isPersistent: true }), isRedexError("config"));
  assert.equal(kit.redex.get("a"), undefined);
});

Deno.test("a closed log closes its channels and opens none", async () => {
  const kit = createRedexKit();
  const file = await kit.redex.open("a");
  await kit.redex.close();
  assert.throws(() => file.append(bytes("x")), isRedexError("closed"));
  await assert.rejects(kit.redex.open("a"), isRedexError("closed"));
  await kit.redex.close();
});

const REFUSED: Readonly<Record<string, unknown>> = {
  "an unknown option": { persist: true },
  "an unknown part of the retention": { retention: { events: 1 } },
  "no events": { retention: { eventsMax: 0 } },
  "no bytes": { retention: { bytesMax: 0 } },
  "no age": { retention: { ageMaxMs: 0 } },
  "half an event": { retention: { eventsMax: 1.5 } },
  "an unknown policy": { fsync: { kind: "always" } },
  "a policy without a kind": { fsync: {} },
  "a policy with a part of another": { fsync: { kind: "never", ms: 1 } },
  "every no record": { fsync: { kind: "every-n", records: 0 } },
  "no interval": { fsync: { kind: "interval", ms: 0 } },
  "an endless interval": { fsync: { kind: "interval", ms: Infinity } },
  "neither interval nor bytes": { fsync: { kind: "interval-or-bytes", ms: 0, bytes: 0 } },
  "a text for a number": { fsync: { kind: "every-n", records: "5" } },
  "a text for yes": { isPersistent: "yes" },
  "a sweep at no time": { retention: { eventsMax: 1 }, sweepMs: -1 },
};

for (const [what, config] of Object.entries(REFUSED)) {
  Deno.test(`a configuration with ${what} is refused`, async () => {
    await using kit = createRedexKit();
    await assert.rejects(kit.redex.open("a", config as RedexConfig), isRedexError("config"));
    assert.throws(
      () => openRedex({ clock: new ManualClock() }, { defaults: config as RedexConfig }),
      isRedexError("config"),
    );
  });
}

Deno.test("defaults of the log fill what a channel leaves out", async () => {
  await using kit = createRedexKit({
    defaults: { retention: { eventsMax: 3 }, fsync: { kind: "interval", ms: 50 } },
  });
  const a = await kit.redex.open("a");
  assert.deepEqual(a.stat().retention, { eventsMax: 3 });
  const b = await kit.redex.open("b", { retention: { bytesMax: 100 } });
  assert.deepEqual(b.stat().retention, { bytesMax: 100 });
  assert.deepEqual(b.stat().fsync, { kind: "interval", ms: 50 });
});

Deno.test("retention runs by itself, and stops with the file", async () => {
  await using kit = createRedexKit();
  const file = await kit.redex.open("a", { retention: { eventsMax: 2, ageMaxMs: 20_000 } });
  using tail = file.tail();
  file.appendBatch(numbered(5));
  await kit.clock.advance(4_999);
  assert.equal(file.firstSeq, 0n);
  await kit.clock.advance(1);
  assert.equal(file.firstSeq, 3n);
  await kit.clock.advance(15_000);
  assert.equal(file.firstSeq, 3n, "an event exactly as old as allowed stays");
  await kit.clock.advance(5_000);
  assert.equal(file.firstSeq, 5n);
  assert.deepEqual(drained(tail), ["lag 0-4 retention"]);
  const sweeps = kit.count("sweeps_total");
  await file.close();
  await kit.clock.advance(60_000);
  assert.equal(kit.count("sweeps_total"), sweeps);
  assert.equal(kit.count("events_swept_total"), 5);
  assert.deepEqual(kit.errors, []);
});

Deno.test("with a sweep time of 0 retention waits until it is asked", async () => {
  await using kit = createRedexKit();
  const file = await kit.redex.open("a", { retention: { bytesMax: 42 }, sweepMs: 0 });
  file.appendBatch(numbered(5));
  await kit.clock.advance(100_000);
  assert.equal(file.firstSeq, 0n);
  assert.equal(await file.sweep(), 3);
  assert.equal(await file.sweep(), 0);
  using tail = file.tail({ from: 3n });
  assert.deepEqual(described(tail.takeNow(9)), ["3=3", "4=4"]);
});

for (const kind of STORE_KINDS) {
  Deno.test(`in ${kind}: openExisting() makes no channel`, async () => {
    await using kit = createKitOf(kind);
    const { redex } = kit;
    assert.equal(await redex.openExisting("room/a"), undefined);
    assert.deepEqual(await redex.names(), []);
    const file = await redex.open("room/a");
    assert.equal(await redex.openExisting("room/a"), file);
    await file.close();
    assert.equal((await redex.openExisting("room/a")) === undefined, kind === "memory");
    const removing = redex.remove("room/a");
    assert.equal(await redex.openExisting("room/a"), undefined);
    await removing;
    assert.deepEqual(await redex.names(), []);
  });
}
