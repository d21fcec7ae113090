/** Folders of logs, written by us and by the live core in turn. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { utf8 } from "../../src/base/mod.ts";
import {
  anyPayloads,
  appendOwn,
  appendRust,
  CHANNEL,
  checkpointOf,
  eventsFrom,
  makeTestFolder,
  type PlainEvent,
  plainEvent,
  readOwn,
  readRust,
  rustTest,
  sample,
  SEED,
  withOwnChannel,
} from "./rust_storage.ts";

rustTest("a folder that we wrote opens in the core with equal events", async (rust) => {
  using folder = makeTestFolder();
  for (const [index, payloads] of sample(anyPayloads, 20).entries()) {
    const name = `room/${index}`;
    assert.equal(await appendOwn(folder.path, name, payloads), 0n);
    const expected = eventsFrom(0n, payloads);
    assert.deepEqual(await readRust(rust, folder.path, name), expected);
    assert.deepEqual(await readOwn(folder.path, name), expected);
  }
});

rustTest("a folder that the core wrote opens here with equal events and times", async (rust) => {
  using folder = makeTestFolder();
  const before = BigInt(Date.now()) * 1_000_000n;
  for (const [index, payloads] of sample(anyPayloads, 20, SEED + 1).entries()) {
    const name = `room/${index}`;
    assert.equal(await appendRust(rust, folder.path, name, payloads), 0n);
    assert.deepEqual(await readOwn(folder.path, name), eventsFrom(0n, payloads));
    const times = await withOwnChannel(
      folder.path,
      name,
      (file) => file.readRange(0n, file.nextSeq).map(({ timeNs }) => timeNs),
    );
    const after = BigInt(Date.now() + 1) * 1_000_000n;
    // The core's clock is a coarse one.
    assert.ok(times.every((time) => time > before - 1_000_000_000n && time < after));
  }
});

rustTest(
  "both write to one folder in turn, and neither loses or repeats an event",
  async (rust) => {
    using folder = makeTestFolder();
    const written: PlainEvent[] = [];
    for (const [round, payloads] of sample(anyPayloads, 40, SEED + 2).entries()) {
      const next = BigInt(written.length);
      const isOwn = round % 3 !== 1;
      const first = isOwn
        ? await appendOwn(folder.path, CHANNEL, payloads)
        : await appendRust(rust, folder.path, CHANNEL, payloads);
      assert.equal(first, next, `round ${round}`);
      written.push(...eventsFrom(next, payloads));
      if (round % 5 === 4) await withOwnChannel(folder.path, CHANNEL, (file) => file.compact());
      const read = round % 2 === 0
        ? await readRust(rust, folder.path, CHANNEL)
        : await readOwn(folder.path, CHANNEL);
      assert.deepEqual(read, written, `round ${round}`);
    }
  },
);

rustTest("what retention and compaction left here goes on in the core", async (rust) => {
  using folder = makeTestFolder();
  const payloads = Array.from({ length: 50 }, (_, index) => utf8(`event ${index}`));
  await withOwnChannel(folder.path, CHANNEL, async (file) => {
    file.appendBatch(payloads);
    assert.equal(await file.sweep(), 40);
    await file.compact();
    assert.equal(file.firstSeq, 40n);
  }, { retention: { eventsMax: 10 } });
  const kept = eventsFrom(40n, payloads.slice(40));
  assert.deepEqual(await readRust(rust, folder.path, CHANNEL), kept);
  const more = [utf8("more"), utf8("and more")];
  assert.equal(await appendRust(rust, folder.path, CHANNEL, more), 50n);
  const all = [...kept, ...eventsFrom(50n, more)];
  assert.deepEqual(await readOwn(folder.path, CHANNEL), all);
  assert.equal(await appendOwn(folder.path, CHANNEL, [utf8("last")]), 52n);
  assert.deepEqual(await readRust(rust, folder.path, CHANNEL), [
    ...all,
    ...eventsFrom(52n, [utf8("last")]),
  ]);
});

rustTest("inline records of ours are inline records of the core", async (rust) => {
  using folder = makeTestFolder();
  await withOwnChannel(folder.path, CHANNEL, (file) => {
    file.append(utf8("before"));
    file.appendInline(utf8("12345678"));
    file.append(utf8("12345678"));
    file.appendInline(new Uint8Array(8));
  });
  const channel = await rust.call("openChannel", { folder: folder.path, name: CHANNEL });
  const events = await rust.call("readRange", { channel, from: 0n, to: 10n });
  assert.deepEqual(events.map(({ isInline }) => isInline), [false, true, false, true]);
  await rust.call("appendBatch", { channel, payloads: [utf8("after")] });
  await rust.call("closeChannel", { channel });
  assert.deepEqual(
    await readOwn(folder.path, CHANNEL),
    eventsFrom(0n, ["before", "12345678", "12345678", "\0".repeat(8), "after"].map(utf8)),
  );
});

rustTest("numbers that were left out here are no hindrance in the core", async (rust) => {
  using folder = makeTestFolder();
  await withOwnChannel(folder.path, CHANNEL, (file) => {
    file.append(utf8("one"));
    file.skipTo(10n);
    file.append(utf8("two"));
  });
  const expected = [...eventsFrom(0n, [utf8("one")]), ...eventsFrom(10n, [utf8("two")])];
  assert.deepEqual(await readRust(rust, folder.path, CHANNEL), expected);
  assert.equal(await appendRust(rust, folder.path, CHANNEL, [utf8("three")]), 11n);
  assert.deepEqual(await readOwn(folder.path, CHANNEL), [
    ...expected,
    ...eventsFrom(11n, [utf8("three")]),
  ]);
});

rustTest("a tail of the core goes on through what we wrote", async (rust) => {
  using folder = makeTestFolder();
  const payloads = Array.from({ length: 20 }, (_, index) => utf8(`event ${index}`));
  await appendOwn(folder.path, CHANNEL, payloads);
  const channel = await rust.call("openChannel", { folder: folder.path, name: CHANNEL });
  await rust.call("appendBatch", { channel, payloads: [utf8("more")] });
  const events = await rust.call("tailChannel", { channel, from: 15n, count: 6 });
  await rust.call("closeChannel", { channel });
  assert.deepEqual(
    events.map(({ seq, payload }) => plainEvent(seq, payload)),
    eventsFrom(15n, [...payloads.slice(15), utf8("more")]),
  );
});

rustTest(
  "our full segments and checkpoint are no hindrance to the core, and survive it",
  async (rust) => {
    using folder = makeTestFolder();
    const options = { segmentBytesMax: 2_048 };
    const written: PlainEvent[] = [];
    const anyBatch = fc.array(fc.uint8Array({ minLength: 100, maxLength: 400 }), {
      minLength: 1,
      maxLength: 8,
    });
    for (const [round, payloads] of sample(anyBatch, 60).entries()) {
      const next = BigInt(written.length);
      // The core's turn is seldom enough for segments to fill, and it adds to whichever is the live one.
      const first = round % 6 === 5
        ? await appendRust(rust, folder.path, CHANNEL, payloads)
        : await appendOwn(folder.path, CHANNEL, payloads, options);
      assert.equal(first, next, `round ${round}`);
      written.push(...eventsFrom(next, payloads));
      assert.deepEqual(await readOwn(folder.path, CHANNEL, options), written, `round ${round}`);
      if (round % 6 !== 4) continue;
      const live = await readRust(rust, folder.path, CHANNEL);
      assert.ok(live.length > 0, `round ${round}`);
      assert.deepEqual(live, written.slice(-live.length), `round ${round}`);
      assert.ok(existsSync(checkpointOf(folder.path)), `round ${round}`);
    }
    const sealed = [...Deno.readDirSync(join(folder.path, CHANNEL, "@sealed"))];
    assert.ok(sealed.length > 5, `${sealed.length} full segments`);
    const live = await readRust(rust, folder.path, CHANNEL);
    assert.ok(live.length < written.length / 2);
  },
);

rustTest(
  "compaction and retention over our full segments leave a folder that goes on in the core",
  async (rust) => {
    using folder = makeTestFolder();
    const options = { segmentBytesMax: 2_048 };
    const payloads = Array.from({ length: 40 }, (_, index) => new Uint8Array(300).fill(index));
    const events = eventsFrom(0n, payloads);
    for (const payload of payloads) await appendOwn(folder.path, CHANNEL, [payload], options);
    let written = 40n;
    for (const eventsMax of [30, 9, 2]) {
      const kept = await withOwnChannel(
        folder.path,
        CHANNEL,
        async (file) => {
          await file.sweep();
          await file.compact();
          return file.readRange(0n, file.nextSeq).map(({ seq, payload }) =>
            plainEvent(seq, payload)
          );
        },
        { retention: { eventsMax } },
        options,
      );
      assert.deepEqual(kept, events.slice(-eventsMax));
      const live = await readRust(rust, folder.path, CHANNEL);
      assert.ok(live.length > 0);
      assert.deepEqual(live, events.slice(-live.length));
      assert.equal(await appendRust(rust, folder.path, CHANNEL, [utf8("theirs")]), written);
      events.push(plainEvent(written++, utf8("theirs")));
      const all = await readOwn(folder.path, CHANNEL, options);
      assert.deepEqual(all, events.slice(-eventsMax - 1));
    }
  },
);
