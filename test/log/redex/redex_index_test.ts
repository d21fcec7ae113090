import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type IndexChange,
  openRedexIndex,
  type PayloadCodec,
  postcardPayloads,
  type RedexConfig,
  typedFile,
} from "../../../src/log/mod.ts";
import { bytes, createRedexKit, isRedexError } from "./redex_kit.ts";

/** `+a1` adds member 1 to key a, `-a1` removes it, `!a` drops the key; a text has many of them. */
const CHANGES: PayloadCodec<string> = postcardPayloads({
  write: (writer, text) => writer.text(text),
  read: (reader) => reader.text(),
});

function changesOf(text: string): IndexChange<string, string>[] {
  return (text.match(/[-+!]../g) ?? []).map(([sign = "", key = "", member = ""]) =>
    sign === "!" ? { kind: "drop", key } : { kind: sign === "+" ? "add" : "remove", key, member }
  );
}

async function openIndex(config: RedexConfig = {}, pairsMax?: number) {
  const kit = createRedexKit();
  const file = typedFile(await kit.redex.open("a", config), CHANGES);
  return { kit, file, open: () => openRedexIndex(file, { changesOf, pairsMax }) };
}

function contents(index: { keys(): Iterable<string>; get(key: string): Iterable<string> }) {
  return Object.fromEntries(
    [...index.keys()].sort().map((key) => [key, [...index.get(key)].sort()]),
  );
}

Deno.test("an index is what its events say, history and later ones", async () => {
  const { kit, file, open } = await openIndex();
  await using _ = kit;
  file.append("+a1+a2+b1");
  using index = open();
  await index.waitForSeq(file.append("-a1+b2!c."));
  assert.deepEqual(contents(index), { a: ["2"], b: ["1", "2"] });
  await index.waitForSeq(file.append("-a2!b."));
  assert.deepEqual(contents(index), {});
  assert.equal(index.size, 0);
  assert.equal(index.has("a", "1"), false);
  assert.equal(index.counters.folded_total, 3);
  assert.equal(index.position, 3n);
});

Deno.test("an index is as a plain map of sets, for any changes", async () => {
  const change = fc.tuple(
    fc.constantFrom("+", "+", "-", "!"),
    fc.constantFrom("a", "b", "c"),
    fc.constantFrom("1", "2", "3"),
  ).map((parts) => parts.join(""));
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 40 }), async (changes) => {
      const { kit, file, open } = await openIndex();
      await using _ = kit;
      using index = open();
      const model = new Map<string, Set<string>>();
      for (const [sign, key = "", member = ""] of changes) {
        const set = model.get(key) ?? new Set();
        if (sign === "+") set.add(member);
        else if (sign === "-") set.delete(member);
        else set.clear();
        if (set.size > 0) model.set(key, set);
        else model.delete(key);
      }
      file.appendBatch(changes);
      await index.waitForSeq(file.file.nextSeq - 1n);
      assert.deepEqual(
        contents(index),
        contents({
          keys: () => model.keys(),
          get: (key) => model.get(key) ?? [],
        }),
      );
    }),
    { numRuns: 100 },
  );
});

Deno.test("an index that retention outran begins anew with what is kept, and counts it", async () => {
  const { kit, file, open } = await openIndex({ retention: { eventsMax: 2 }, sweepMs: 0 });
  await using _ = kit;
  using index = open();
  await index.waitForSeq(file.append("+a1"));
  file.appendBatch(["-a1", "+b1", "+b2", "+c1"]);
  await file.file.sweep();
  await index.waitForSeq(4n);
  // It had been faster than retention here: nothing was missed.
  assert.equal(index.counters.lag_resets_total, 0);
  index.close();
  using late = openRedexIndex(file, { changesOf, from: 0n });
  await late.waitForSeq(4n);
  assert.deepEqual(contents(late), { b: ["2"], c: ["1"] });
  assert.equal(late.counters.lag_resets_total, 1);
  assert.equal(late.counters.missing_total, 3);
});

Deno.test("an event that is no value, and one that the user's function throws at, are set aside", async () => {
  const { kit, file } = await openIndex();
  await using _ = kit;
  using index = openRedexIndex(file, {
    changesOf: (text: string) => {
      if (text === "bad") throw new Error("bad");
      return changesOf(text);
    },
  });
  file.append("+a1");
  file.append("bad");
  file.file.append(bytes("\u00ff"));
  file.file.skipTo(9n);
  await index.waitForSeq(file.append("+a2"));
  assert.deepEqual(contents(index), { a: ["1", "2"] });
  assert.equal(index.counters.set_aside_total, 2);
  assert.equal(index.counters.missing_total, 0);
});

Deno.test("an index that would grow too large stops, and says so", async () => {
  const { kit, file, open } = await openIndex({}, 2);
  await using _ = kit;
  using index = open();
  file.append("+a1+a1+a2");
  await index.waitForSeq(0n);
  await assert.rejects(index.waitForSeq(file.append("+a3")), isRedexError("limit"));
  assert.equal(index.isRunning, false);
  assert.equal(index.failure?.kind, "limit");
});

Deno.test("waiting ends with the index, the file, or the signal", async () => {
  const { kit, file, open } = await openIndex();
  await using _ = kit;
  const index = open();
  const controller = new AbortController();
  const aborted = index.waitForSeq(0n, controller.signal);
  controller.abort(new Error("enough"));
  await assert.rejects(aborted, /enough/);
  const waiting = index.waitForSeq(0n);
  index.close();
  await assert.rejects(waiting, isRedexError("closed"));
  const other = open();
  const ended = other.waitForSeq(0n);
  await file.file.close();
  await assert.rejects(ended, isRedexError("closed"));
  assert.equal(other.failure, undefined, "the file was closed in order");
  assert.equal(kit.count("tails_open"), 0);
});
