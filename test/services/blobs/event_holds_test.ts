import assert from "node:assert/strict";
import { EventHolds } from "../../../src/services/mod.ts";
import { putStripes } from "../../blob/keep/stripe_kit.ts";
import { bytesSource, seededBytes } from "../../blob/sources.ts";
import { addLoose, withStore } from "../../blob/store_kit.ts";

const GC = { retentionMs: 0 };

Deno.test("EventHolds keeps the chunks of a blob until the entry goes", () =>
  withStore(async ({ store }) => {
    const events = new EventHolds(store);
    const small = await store.put(bytesSource(seededBytes(100, 1)));
    assert.equal(await events.hold("app/a:7", small.ref), 1);
    assert.equal(await events.hold("app/a:8", small.ref), 1);
    await store.remove(small.hash);
    assert.equal((await store.collect(GC)).kept.referenced, 1);
    assert.equal(await events.release("app/a:7"), 1);
    assert.equal((await store.collect(GC)).removed, 0);
    assert.equal(await events.release("app/a:8"), 1);
    assert.equal((await store.collect(GC)).removed, 1);
    assert.equal(await events.release("app/a:8"), 0);
  }));

Deno.test("EventHolds keeps a whole tree, and of one that is not all here what is known", () =>
  withStore(async ({ store }) => {
    const events = new EventHolds(store);
    const { address, ref, stripes } = await putStripes(store, 10);
    const count = stripes.flat().length + 4; // Three leaves and the root.
    assert.equal(await events.hold("app/a:1", ref), count);
    await store.remove(address);
    assert.equal((await store.collect(GC)).removed, 0);
    await events.release("app/a:1");
    assert.equal((await store.collect(GC)).removed, count);
    // Nothing of it is here: the root is kept once it comes.
    assert.equal(await events.hold("app/a:1", ref), 1);
  }));

Deno.test("EventHolds keeps chunks that come later", () =>
  withStore(async ({ store }) => {
    const events = new EventHolds(store);
    const { ref, hash } = await store.put(bytesSource(seededBytes(100, 3)));
    await store.remove(hash);
    await events.hold("app/a:1", ref);
    await addLoose(store, 3);
    assert.equal((await store.collect(GC)).removed, 0);
    assert.equal(await store.hasChunk(hash), 100);
    await assert.rejects(events.hold("", ref), { code: "usage" });
    await assert.rejects(events.hold("x".repeat(250), ref), { code: "usage" });
  }));

Deno.test("EventHolds follows a view: entries come, change and go, also while nobody follows", () =>
  withStore(async ({ store }) => {
    const blobs = [];
    for (let i = 0; i < 3; i++) blobs.push(await store.put(bytesSource(seededBytes(100, i))));
    const [a, b, c] = blobs;
    assert.ok(a && b && c);
    for (const { hash } of blobs) await store.hold([hash], { reason: "cache", owner: "keep" });
    for (const { hash } of blobs) await store.remove(hash);
    const listeners = new Set<() => void>();
    const view = {
      channel: "app/files",
      state: new Map([["one", a.ref], ["two", b.ref]]),
      onChange: (listener: () => void) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    };
    const fail = (error: unknown) => assert.fail(String(error));
    const first = new EventHolds(store).follow(view, (state) => state, fail);
    view.state.set("two", c.ref);
    for (const listener of listeners) listener();
    await first();
    assert.equal(listeners.size, 0);
    const owners = () => store.holdOwners("event:");
    assert.deepEqual(await owners(), ["event:app/files:one", "event:app/files:two"]);
    view.state.delete("one");
    const second = new EventHolds(store).follow(view, (state) => state, fail);
    await second();
    assert.deepEqual(await owners(), ["event:app/files:two"]);
    await store.release("keep");
    assert.equal((await store.collect(GC)).removed, 2);
    assert.equal(await store.hasChunk(c.hash), 100);
  }));
