/** Folders of logs, written by us and by the live core in turn. */
import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { utf8 } from "../../src/base/mod.ts";
import { isRustPlatform } from "./rust_addon.ts";
import {
  appendOwn,
  appendRust,
  makeTestFolder,
  type PlainEvent,
  readOwn,
  readRust,
  type RustStorage,
  startRustStorage,
  withOwnChannel,
} from "./rust_storage.ts";

const CHANNEL = "room/lobby";
const SEED = 20_817;

/** Payloads of all lengths that are kept differently: empty, 8 bytes, across a page. */
const anyPayloads = fc.array(
  fc.oneof(
    fc.constant(new Uint8Array()),
    fc.uint8Array({ minLength: 8, maxLength: 8 }),
    fc.uint8Array({ maxLength: 200 }),
    fc.uint8Array({ minLength: 3_000, maxLength: 6_000 }),
  ),
  { minLength: 1, maxLength: 12 },
);

function rustTest(name: string, run: (rust: RustStorage) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !isRustPlatform(),
    fn: async () => {
      await using rust = startRustStorage();
      await run(rust);
    },
  });
}

function eventsFrom(first: bigint, payloads: readonly Uint8Array[]): PlainEvent[] {
  return payloads.map((payload, index) => ({
    seq: first + BigInt(index),
    payload: payload.toHex(),
  }));
}

const sample = <T>(arbitrary: fc.Arbitrary<T>, count: number, seed = SEED): readonly T[] =>
  fc.sample(arbitrary, { seed, numRuns: count });

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
    (await readOwn(folder.path, CHANNEL)).map(({ payload }) => payload),
    ["before", "12345678", "12345678", "\0\0\0\0\0\0\0\0", "after"].map((text) =>
      utf8(text).toHex()
    ),
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
    events.map(({ seq, payload }) => ({ seq, payload: payload.toHex() })),
    eventsFrom(15n, [...payloads.slice(15), utf8("more")]),
  );
});

/** What a crash or a bad sector leaves: one of the three files cut off, longer, or with a byte changed. */
const anyDamage = fc.record({
  file: fc.constantFrom("idx", "dat", "ts"),
  kind: fc.constantFrom("cut", "grown", "changed"),
  place: fc.double({ min: 0, max: 1, noNaN: true }),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 50 }),
});

type Damage = typeof anyDamage extends fc.Arbitrary<infer T> ? T : never;

function damage(folder: string, { file, kind, place, bytes }: Damage): void {
  const path = join(folder, CHANNEL, "v0000000001", file);
  const content = Deno.readFileSync(path);
  const at = Math.floor(place * content.length);
  if (kind === "cut") Deno.truncateSync(path, at);
  if (kind === "grown") Deno.writeFileSync(path, bytes, { append: true });
  if (kind !== "changed" || content.length === 0) return;
  const index = Math.min(at, content.length - 1);
  content[index] = (content[index] ?? 0) ^ ((bytes[0] ?? 0) | 1);
  Deno.writeFileSync(path, content);
}

function copyFolder(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const entry of Deno.readDirSync(from)) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory) copyFolder(source, target);
    else Deno.copyFileSync(source, target);
  }
}

rustTest(
  "torn and damaged folders are recovered to the same events on both sides, and go on",
  async (rust) => {
    using folder = makeTestFolder();
    const written = sample(anyPayloads, 80, SEED + 3);
    const damages = sample(fc.array(anyDamage, { minLength: 1, maxLength: 2 }), 80, SEED + 4);
    for (const [index, payloads] of written.entries()) {
      const [ours, theirs] = ["ours", "theirs"].map((side) => join(folder.path, `${side}${index}`));
      assert.ok(ours !== undefined && theirs !== undefined);
      if (index % 2 === 0) await appendOwn(ours, CHANNEL, payloads);
      else await appendRust(rust, ours, CHANNEL, payloads);
      for (const one of damages[index] ?? []) damage(ours, one);
      copyFolder(ours, theirs);
      const what = JSON.stringify(
        damages[index]?.map(({ file, kind, place }) => [file, kind, place]),
      );
      const [own, rusts] = [
        await readOwn(ours, CHANNEL),
        await readRust(rust, theirs, CHANNEL),
      ];
      assert.deepEqual(own, rusts, `case ${index}: ${what}`);
      const next = await appendOwn(ours, CHANNEL, [utf8("after")]);
      assert.equal(next, await appendRust(rust, theirs, CHANNEL, [utf8("after")]), `case ${index}`);
      const expected = [...own, { seq: next, payload: utf8("after").toHex() }];
      assert.deepEqual(await readRust(rust, ours, CHANNEL), expected, `case ${index}: ${what}`);
      // The core leaves what it dropped in the index and may fall over it again, with what it appended behind.
      copyFolder(theirs, `${theirs}-copy`);
      const again = await readRust(rust, `${theirs}-copy`, CHANNEL);
      assert.deepEqual(await readOwn(theirs, CHANNEL), again, `case ${index}: ${what}`);
    }
  },
);
