import assert from "node:assert/strict";
import { bytes, createKitOf, isRedexError, numbered, testKinds, text } from "./redex_kit.ts";

testKinds("events are numbered from 0, and a batch shares its time", async (kind) => {
  await using kit = createKitOf(kind);
  const file = await kit.redex.open("room/lobby");
  assert.equal(file.append(bytes("a")), 0n);
  await kit.clock.advance(5);
  assert.equal(file.appendBatch([bytes("b"), bytes("c")]), 1n);
  assert.equal(file.nextSeq, 3n);
  const [a, b, c] = file.readRange(0n, 10n);
  assert.deepEqual([a, b, c].map((event) => text(event?.payload)), ["a", "b", "c"]);
  assert.equal(b?.timeNs, c?.timeNs);
  assert.equal((b?.timeNs ?? 0n) - (a?.timeNs ?? 0n), 5_000_000n);
  assert.equal(a?.timeNs, 1_700_000_001_000_000_000n);
});

testKinds("ranges are half open and bounded", async (kind) => {
  await using kit = createKitOf(kind);
  const file = await kit.redex.open("a");
  file.appendBatch(numbered(10));
  const seqs = (from: bigint, to: bigint, max?: number) =>
    file.readRange(from, to, max).map(({ seq }) => Number(seq));
  assert.deepEqual(seqs(2n, 5n), [2, 3, 4]);
  assert.deepEqual(seqs(5n, 2n), []);
  assert.deepEqual(seqs(-3n, 2n), [0, 1]);
  assert.deepEqual(seqs(8n, 1n << 70n), [8, 9]);
  assert.deepEqual(seqs(0n, 10n, 3), [0, 1, 2]);
  assert.equal(file.read(10n), undefined);
  assert.equal(file.read(1n << 70n), undefined);
  assert.equal(text(file.read(9n)?.payload), "9");
});

testKinds("an empty batch has no number", async (kind) => {
  await using kit = createKitOf(kind);
  const file = await kit.redex.open("a");
  assert.equal(file.appendBatch([]), undefined);
  assert.equal(file.appendBatchIfNext(0n, []), undefined);
  assert.equal(file.nextSeq, 0n);
});

testKinds("a conditional batch is appended only as the next one", async (kind) => {
  await using kit = createKitOf(kind);
  const file = await kit.redex.open("a");
  assert.equal(file.appendBatchIfNext(0n, [bytes("x"), bytes("y")]), 0n);
  assert.throws(() => file.appendBatchIfNext(0n, [bytes("z")]), (error) => {
    assert.deepEqual((error as { data?: unknown }).data, {
      kind: "seq_mismatch",
      expected: "0",
      actual: "2",
    });
    return isRedexError("seq_mismatch")(error);
  });
  assert.throws(() => file.appendBatchIfNext(1n, []), isRedexError("seq_mismatch"));
  assert.equal(file.nextSeq, 2n);
});

testKinds("an inline event has 8 bytes", async (kind) => {
  await using kit = createKitOf(kind);
  const file = await kit.redex.open("a");
  assert.throws(() => file.appendInline(bytes("seven..")), isRedexError("encode"));
  assert.equal(file.appendInline(bytes("eight...")), 0n);
  assert.equal(text(file.read(0n)?.payload), "eight...");
});

testKinds("a durable append answers with the first number", async (kind) => {
  await using kit = createKitOf(kind);
  const file = await kit.redex.open("a");
  const firsts = await Promise.all(
    [1, 2, 3].map((count) => file.appendDurable(numbered(count))),
  );
  assert.deepEqual(firsts, [0n, 1n, 3n]);
  assert.equal(file.persistedSeq, 6n);
});

testKinds("a file says what it is", async (kind) => {
  await using kit = createKitOf(kind);
  const file = await kit.redex.open("a", { retention: { eventsMax: 2 } });
  file.appendBatch(numbered(5));
  assert.equal(await file.sweep(), 3);
  assert.deepEqual(file.stat(), {
    name: "a",
    isPersistent: kind === "disk",
    events: 2,
    firstSeq: 3n,
    nextSeq: 5n,
    persistedSeq: 5n,
    bytes: 42,
    generation: kind === "disk" ? 2 : 1,
    damaged: 0,
    fsync: { kind: "never" },
    retention: { eventsMax: 2 },
    failure: undefined,
  });
});

testKinds("rules of an open file can be changed, and count from then on", async (kind) => {
  await using kit = createKitOf(kind);
  const file = await kit.redex.open("a");
  using tail = file.tail();
  file.appendBatch(numbered(10));
  file.configure({ retention: { eventsMax: 4 }, sweepMs: 100 });
  assert.deepEqual(file.stat().retention, { eventsMax: 4 });
  await kit.clock.advance(100);
  assert.equal(file.firstSeq, 6n);
  file.configure({ fsync: { kind: "every-n", records: 2 } });
  assert.deepEqual(file.stat().retention, { eventsMax: 4 }, "what is left out stays");
  assert.deepEqual(file.stat().fsync, { kind: "every-n", records: 2 });
  file.configure({ retention: {} });
  file.appendBatch(numbered(10));
  await kit.clock.advance(10_000);
  assert.equal(file.stat().events, 14);
  assert.throws(() => file.configure({ retention: { eventsMax: 0 } }), isRedexError("config"));
  assert.equal(tail.takeNow(1)[0]?.kind, "lag", "tails go on");
  await file.close();
  assert.throws(() => file.configure({}), isRedexError("closed"));
});

testKinds("a closed file refuses everything, and says how to go on", async (kind) => {
  await using kit = createKitOf(kind);
  const file = await kit.redex.open("a");
  file.append(bytes("x"));
  await file.close();
  await file.close();
  const closed = isRedexError("closed");
  assert.throws(() => file.append(bytes("x")), closed);
  assert.throws(() => file.appendBatch([]), closed);
  assert.throws(() => file.appendBatchIfNext(1n, []), closed);
  assert.throws(() => file.appendInline(bytes("eight...")), closed);
  assert.throws(() => file.read(0n), closed);
  assert.throws(() => file.tail(), closed);
  await assert.rejects(file.appendDurable([]), closed);
  await assert.rejects(file.sync(), closed);
  await assert.rejects(file.sweep(), closed);
  await assert.rejects(file.compact(), closed);
  assert.equal(file.nextSeq, 1n, "what it was can still be asked");
  assert.equal(kit.count("files_open"), 0);
});

testKinds("appends are counted, with those that failed", async (kind) => {
  await using kit = createKitOf(kind);
  const file = await kit.redex.open("a");
  file.append(bytes("abc"));
  file.appendBatch([bytes("de"), bytes("")]);
  assert.equal(kit.count("appends_total"), 2);
  assert.equal(kit.count("events_total"), 3);
  assert.equal(kit.count("bytes_total"), 5);
  assert.equal(kit.count("append_failures_total"), 0);
});
