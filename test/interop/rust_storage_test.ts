/** Folders of logs, written by us and by the live core in turn. */
import assert from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { utf8 } from "../../src/base/mod.ts";
import { RedexError } from "../../src/log/mod.ts";
import { isRustPlatform } from "./rust_addon.ts";
import {
  appendOwn,
  appendRust,
  makeTestFolder,
  type PlainEvent,
  plainEvent,
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
  return payloads.map((payload, index) => plainEvent(first + BigInt(index), payload));
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

const DAMAGED = 40;

/** Folders that one of both wrote and that were damaged since, twice each. */
async function* damagedFolders(
  rust: RustStorage,
  folder: string,
  seed: number,
): AsyncGenerator<{ ours: string; theirs: string; written: PlainEvent[]; what: string }> {
  const batches = sample(anyPayloads, DAMAGED, seed);
  const damages = sample(fc.array(anyDamage, { minLength: 1, maxLength: 2 }), DAMAGED, seed + 1);
  for (const [index, payloads] of batches.entries()) {
    const [ours, theirs] = [join(folder, `ours${index}`), join(folder, `theirs${index}`)];
    if (index % 2 === 0) await appendOwn(ours, CHANNEL, payloads);
    else await appendRust(rust, ours, CHANNEL, payloads);
    const done = damages[index] ?? [];
    for (const one of done) damage(ours, one);
    copyFolder(ours, theirs);
    const what = JSON.stringify(done.map(({ file, kind, place }) => [index, file, kind, place]));
    yield { ours, theirs, written: eventsFrom(0n, payloads), what };
  }
}

rustTest(
  "torn and damaged folders are recovered to the same events on both sides, and go on",
  async (rust) => {
    using folder = makeTestFolder();
    for await (const { ours, theirs, what } of damagedFolders(rust, folder.path, SEED + 3)) {
      removeCheckpoint(ours);
      const own = await readUnlessRefused(ours);
      if (own === undefined) continue;
      // Once more without what the first opening wrote down of numbers.
      removeCheckpoint(ours);
      assert.deepEqual(own, await readRust(rust, theirs, CHANNEL), what);
      const payload = utf8("after");
      const next = await appendOwn(ours, CHANNEL, [payload]);
      assert.equal(next, await appendRust(rust, theirs, CHANNEL, [payload]), what);
      const expected = [...own, plainEvent(next, payload)];
      assert.deepEqual(await readRust(rust, ours, CHANNEL), expected, what);
      // The core leaves what it dropped in the index and may fall over it again, with what it appended behind.
      copyFolder(theirs, `${theirs}-copy`);
      removeCheckpoint(theirs);
      const again = await readRust(rust, `${theirs}-copy`, CHANNEL);
      assert.deepEqual(await readOwn(theirs, CHANNEL), again, what);
    }
  },
);

rustTest(
  "with our checkpoint no event is lost that the core keeps, and no number given twice",
  async (rust) => {
    using folder = makeTestFolder();
    for await (
      const { ours, theirs, written, what } of damagedFolders(rust, folder.path, SEED + 5)
    ) {
      const own = await readUnlessRefused(ours);
      if (own === undefined) continue;
      const rusts = await readRust(rust, theirs, CHANNEL);
      const [kept, original] = [new Set(own.map(textOf)), new Set(written.map(textOf))];
      const lost = rusts.map(textOf).filter((text) => original.has(text) && !kept.has(text));
      assert.deepEqual(lost, [], what);
      const next = await appendOwn(ours, CHANNEL, [utf8("after")]);
      assert.ok(own.every(({ seq }) => seq < next), what);
      assert.deepEqual(
        await readOwn(ours, CHANNEL),
        [...own, plainEvent(next, utf8("after"))],
        what,
      );
    }
  },
);

/**
 * What we read; `undefined` when a damaged number is beyond those we take. Then nothing may have been changed,
 * where the core keeps that record and cuts off all behind it.
 */
async function readUnlessRefused(folder: string): Promise<PlainEvent[] | undefined> {
  const path = join(folder, CHANNEL, "v0000000001", "idx");
  const before = Deno.readFileSync(path);
  try {
    return await readOwn(folder, CHANNEL);
  } catch (error) {
    assert.ok(error instanceof RedexError && error.kind === "seq_out_of_range");
    assert.deepEqual(Deno.readFileSync(path), before);
    return undefined;
  }
}

const textOf = ({ seq, payload }: PlainEvent): string => `${seq} ${payload}`;

/** What our engine notes beside the log of what it verified. */
const checkpointOf = (folder: string): string => join(folder, CHANNEL, "@checkpoint");

function removeCheckpoint(folder: string): void {
  rmSync(checkpointOf(folder), { force: true });
}

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
