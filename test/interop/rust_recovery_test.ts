/** Torn, damaged and abandoned folders of logs, recovered by us and by the live core. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { utf8 } from "../../src/base/mod.ts";
import { RedexError } from "../../src/log/mod.ts";
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
  type RustStorage,
  rustTest,
  sample,
  SEED,
  startRustStorage,
} from "./rust_storage.ts";

/** What a crash or a bad sector leaves: one of the three files cut off, longer, or with a byte changed. */
const anyDamage = fc.record({
  file: fc.constantFrom("idx", "dat", "ts"),
  kind: fc.constantFrom("cut", "grown", "changed"),
  place: fc.double({ min: 0, max: 1, noNaN: true }),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 50 }),
});

type Damage = typeof anyDamage extends fc.Arbitrary<infer T> ? T : never;

/** Bytes of an index record, and of the number it begins with. */
const RECORD_BYTES = 20;
const NUMBER_BYTES = 8;

/** Does it; true when the number of a record was changed. */
function damage(folder: string, { file, kind, place, bytes }: Damage): boolean {
  const path = join(folder, CHANNEL, "v0000000001", file);
  const content = Deno.readFileSync(path);
  const at = Math.floor(place * content.length);
  if (kind === "cut") Deno.truncateSync(path, at);
  if (kind === "grown") Deno.writeFileSync(path, bytes, { append: true });
  if (kind !== "changed" || content.length === 0) return false;
  const index = Math.min(at, content.length - 1);
  content[index] = (content[index] ?? 0) ^ ((bytes[0] ?? 0) | 1);
  Deno.writeFileSync(path, content);
  return file === "idx" && index % RECORD_BYTES < NUMBER_BYTES;
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
): AsyncGenerator<
  {
    ours: string;
    theirs: string;
    written: PlainEvent[];
    what: string;
    hasNumberChanged: boolean;
  }
> {
  const batches = sample(anyPayloads, DAMAGED, seed);
  const damages = sample(fc.array(anyDamage, { minLength: 1, maxLength: 2 }), DAMAGED, seed + 1);
  for (const [index, payloads] of batches.entries()) {
    const [ours, theirs] = [join(folder, `ours${index}`), join(folder, `theirs${index}`)];
    if (index % 2 === 0) await appendOwn(ours, CHANNEL, payloads);
    else await appendRust(rust, ours, CHANNEL, payloads);
    const done = damages[index] ?? [];
    const hasNumberChanged = done.map((one) => damage(ours, one)).includes(true);
    copyFolder(ours, theirs);
    const what = JSON.stringify(done.map(({ file, kind, place }) => [index, file, kind, place]));
    yield { ours, theirs, written: eventsFrom(0n, payloads), what, hasNumberChanged };
  }
}

rustTest(
  "torn and damaged folders are recovered to the same events on both sides, and go on",
  async (rust) => {
    using folder = makeTestFolder();
    for await (
      const { ours, theirs, written, what, hasNumberChanged } of damagedFolders(
        rust,
        folder.path,
        SEED + 3,
      )
    ) {
      removeCheckpoint(ours);
      const own = await readUnlessRefused(ours);
      if (own === undefined) continue;
      // Once more without what the first opening wrote down of numbers.
      removeCheckpoint(ours);
      const rusts = await readRust(rust, theirs, CHANNEL);
      if (hasNumberChanged) {
        // Such a record is all that we lose; the core may drop what is behind it, or give it the wrong number.
        const [kept, original] = [new Set(own.map(textOf)), new Set(written.map(textOf))];
        const lost = rusts.map(textOf).filter((text) => original.has(text) && !kept.has(text));
        assert.deepEqual(lost, [], what);
        assert.ok(own.length >= rusts.length - 1, what);
        continue;
      }
      assert.deepEqual(own, rusts, what);
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

function removeCheckpoint(folder: string): void {
  rmSync(checkpointOf(folder), { force: true });
}

rustTest("what a killed core had written opens here, without gap or invention", async () => {
  using folder = makeTestFolder();
  const payloadOf = (seq: number) => utf8(`event ${seq} ${"x".repeat(seq % 300)}`);
  let killedAt = 0;
  for (let round = 0; round < 5; round++) {
    await using rust = startRustStorage();
    const channel = await rust.call("openChannel", { folder: folder.path, name: CHANNEL });
    const start = Number(await rust.call("channelLength", { channel }));
    assert.ok(start >= killedAt);
    let acknowledged = start;
    const writing = (async () => {
      for (let next = start;; next += 50) {
        const payloads = Array.from({ length: 50 }, (_, index) => payloadOf(next + index));
        await rust.call("appendBatch", { channel, payloads });
        acknowledged = next + 50;
        if (acknowledged - start >= 200 * (round + 1)) rust.kill();
      }
    })();
    await assert.rejects(writing);
    const events = await readOwn(folder.path, CHANNEL);
    // Written is not on the device, but a process that is killed takes nothing back.
    assert.ok(events.length >= acknowledged);
    assert.deepEqual(
      events,
      eventsFrom(0n, Array.from(events, (_, index) => payloadOf(index))),
    );
    killedAt = events.length;
  }
});
