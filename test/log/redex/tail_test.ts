import assert from "node:assert/strict";
import type { RedexFile, TailItem } from "../../../src/log/mod.ts";
import {
  bytes,
  createKitOf,
  described,
  drained,
  isRedexError,
  numbered,
  type StoreKind,
  testKinds,
  text,
} from "./redex_kit.ts";

async function openFile(kind: StoreKind) {
  const kit = createKitOf(kind);
  return { kit, file: await kit.redex.open("a") };
}

testKinds("a tail begins with history and goes on with what is appended", async (kind) => {
  const { kit, file } = await openFile(kind);
  await using _ = kit;
  file.appendBatch(numbered(3));
  using tail = file.tail({ from: 1n });
  assert.deepEqual(described(await tail.take(10)), ["1=1", "2=2"]);
  const more = tail.take(10);
  file.appendBatch(numbered(2, 3));
  assert.deepEqual(described(await more), ["3=3", "4=4"]);
  assert.equal(tail.position, 5n);
});

testKinds("a tail without a beginning starts with the next event", async (kind) => {
  const { kit, file } = await openFile(kind);
  await using _ = kit;
  file.append(bytes("old"));
  using tail = file.tail();
  assert.deepEqual(tail.takeNow(10), []);
  file.append(bytes("new"));
  assert.deepEqual(drained(tail), ["1=new"]);
});

testKinds("a tail from the future gets nothing below its beginning", async (kind) => {
  const { kit, file } = await openFile(kind);
  await using _ = kit;
  using tail = file.tail({ from: 3n });
  const taken = tail.take(10);
  file.appendBatch(numbered(2));
  await kit.clock.advance(0);
  file.appendBatch(numbered(3, 2));
  assert.deepEqual(described(await taken), ["3=3", "4=4"]);
  assert.throws(() => file.tail({ from: -1n }), isRedexError("seq_out_of_range"));
  assert.throws(() => file.tail({ from: 1n << 60n }), isRedexError("seq_out_of_range"));
});

testKinds("an append is seen within two turns of the microtask queue", async (kind) => {
  const { kit, file } = await openFile(kind);
  await using _ = kit;
  using tail = file.tail();
  let seen: readonly TailItem[] | undefined;
  tail.take(1).then((items) => seen = items);
  file.append(bytes("x"));
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual(described(seen), ["0=x"]);
});

testKinds("a slow reader loses nothing, and takes as much as it likes", async (kind) => {
  const { kit, file } = await openFile(kind);
  await using _ = kit;
  using tail = file.tail();
  file.appendBatch(numbered(100_000));
  let seen = 0;
  while (seen < 100_000) {
    for (const item of await tail.take(777) ?? []) {
      assert.equal(item.kind === "event" && Number(item.seq), seen);
      seen += 1;
    }
  }
  assert.deepEqual(tail.takeNow(1), []);
});

testKinds(
  "what retention took is said by one lag item, also to a tail that has nothing else to read",
  async (kind) => {
    const { kit } = await openFile(kind);
    await using _ = kit;
    const file = await kit.redex.open("b", { retention: { eventsMax: 2 }, sweepMs: 0 });
    using tail = file.tail({ from: 0n });
    file.appendBatch(numbered(3));
    assert.deepEqual(described(tail.takeNow(1)), ["0=0"]);
    file.appendBatch(numbered(5, 3));
    await file.sweep();
    assert.equal(tail.position, 1n);
    assert.deepEqual(described(tail.takeNow(1)), ["lag 1-5 retention"], "a bound of one holds");
    assert.deepEqual(drained(tail), ["6=6", "7=7"]);
    using late = file.tail({ from: 4n });
    assert.deepEqual(described(await late.take(9)), ["lag 4-5 retention", "6=6", "7=7"]);
    assert.equal(kit.count("lags_total"), 2);
    assert.equal(kit.count("lag_events_total"), 7);
  },
);

testKinds("a log that was emptied by retention tells so at once", async (kind) => {
  await using kit = createKitOf(kind);
  const file = await kit.redex.open("b", { retention: { ageMaxMs: 10 }, sweepMs: 0 });
  file.appendBatch(numbered(3));
  await kit.clock.advance(11);
  assert.equal(await file.sweep(), 3);
  assert.equal(file.firstSeq, 3n);
  using tail = file.tail({ from: 0n });
  assert.deepEqual(described(await tail.take(5)), ["lag 0-2 retention"]);
});

testKinds("numbers that were skipped are said by a lag item", async (kind) => {
  const { kit, file } = await openFile(kind);
  await using _ = kit;
  file.append(bytes("a"));
  using tail = file.tail({ from: 0n });
  file.skipTo(10n);
  assert.throws(() => file.skipTo(9n), isRedexError("seq_out_of_range"));
  assert.throws(() => file.skipTo(1n << 60n), isRedexError("seq_out_of_range"));
  assert.equal(file.append(bytes("b")), 10n);
  assert.deepEqual(drained(tail), ["0=a", "lag 1-9 skipped", "10=b"]);
  const taken = tail.take(1);
  file.skipTo(12n);
  assert.deepEqual(described(await taken), ["lag 11-11 skipped"]);
});

testKinds("takes of one tail are answered in the order of their calls", async (kind) => {
  const { kit, file } = await openFile(kind);
  await using _ = kit;
  using tail = file.tail();
  const takes = [tail.take(1), tail.take(2), tail.take(5)];
  file.appendBatch(numbered(4));
  assert.deepEqual((await Promise.all(takes)).map(described), [["0=0"], ["1=1", "2=2"], ["3=3"]]);
});

testKinds("closing a tail ends whoever waits, and all that comes later", async (kind) => {
  const { kit, file } = await openFile(kind);
  await using _ = kit;
  const tail = file.tail();
  const takes = [tail.take(1), tail.take(1)];
  tail.close();
  tail.close();
  assert.deepEqual(await Promise.all(takes), [undefined, undefined]);
  file.append(bytes("x"));
  assert.equal(await tail.take(1), undefined);
  assert.deepEqual(tail.takeNow(1), []);
  assert.equal(kit.count("tails_open"), 0);
});

testKinds("an aborted signal ends a tail, before or while it waits", async (kind) => {
  const { kit, file } = await openFile(kind);
  await using _ = kit;
  const controller = new AbortController();
  const taken = file.tail({ signal: controller.signal }).take(1);
  controller.abort();
  assert.equal(await taken, undefined);
  assert.equal(await file.tail({ signal: controller.signal }).take(1), undefined);
  assert.equal(kit.count("tails_open"), 0);
});

testKinds("closing the file ends a tail that has read all, with what came last", async (kind) => {
  const { kit, file } = await openFile(kind);
  await using _ = kit;
  const tail = file.tail();
  const takes = [tail.take(1), tail.take(1), tail.take(1)];
  file.appendBatch(numbered(2));
  await file.close();
  assert.deepEqual((await Promise.all(takes)).map(described), [["0=0"], ["1=1"], undefined]);
  assert.equal(await tail.take(1), undefined);
  assert.deepEqual(tail.takeNow(1), []);
  assert.equal(kit.count("tails_open"), 0);
});

testKinds("closing the file under a tail that is behind is an error, not an end", async (kind) => {
  const { kit, file } = await openFile(kind);
  await using _ = kit;
  const tail = file.tail();
  file.appendBatch(numbered(5));
  assert.equal(tail.takeNow(2).length, 2);
  await file.close();
  await assert.rejects(tail.take(1), (error) => {
    assert.match((error as Error).message, /3 events were not read/);
    return isRedexError("closed")(error);
  });
  assert.throws(() => tail.takeNow(1), isRedexError("closed"));
  assert.equal(tail.position, 2n, "from here it goes on when the channel is opened again");
});

testKinds(
  "an iterator gives item by item, keeps the position, and its end closes the tail",
  async (kind) => {
    const { kit, file } = await openFile(kind);
    await using _ = kit;
    file.appendBatch(numbered(600));
    const tail = file.tail({ from: 0n });
    let next = 0n;
    for await (const item of tail) {
      assert.equal(item.kind === "event" && item.seq, next);
      next += 1n;
      assert.equal(tail.position, next);
      if (next === 500n) break;
    }
    assert.equal(kit.count("tails_open"), 0);
    assert.equal(await tail.take(1), undefined);
  },
);

testKinds("an iterator that waits is ended by its return", async (kind) => {
  const { kit, file } = await openFile(kind);
  await using _ = kit;
  const iterator = file.tail()[Symbol.asyncIterator]();
  const asked = [iterator.next(), iterator.next(), iterator.next()];
  file.appendBatch(numbered(2));
  await kit.clock.advance(0);
  await iterator.return?.();
  const items = await Promise.all(asked);
  assert.deepEqual(
    items.map(({ value }) => value?.kind === "event" ? text(value.payload) : value),
    ["0", "1", undefined],
  );
  assert.deepEqual(await iterator.next(), { done: true, value: undefined });
});

testKinds("an iterator gives what it holds after the file was closed", async (kind) => {
  const { kit, file } = await openFile(kind);
  await using _ = kit;
  file.appendBatch(numbered(3));
  const seen: string[] = [];
  for await (const item of file.tail({ from: 0n })) {
    if (item.kind === "event") seen.push(text(item.payload) ?? "");
    await file.close();
  }
  assert.deepEqual(seen, ["0", "1", "2"]);
});

testKinds("a take of nothing is refused", async (kind) => {
  const { kit, file } = await openFile(kind);
  await using _ = kit;
  using tail = file.tail();
  assert.throws(() => tail.take(0), RangeError);
  assert.throws(() => tail.takeNow(NaN), RangeError);
});

testKinds("so many takes of one tail wait, and no more", async (kind) => {
  await using kit = createKitOf(kind);
  const file = await kit.redex.open("a");
  using tail = file.tail();
  const takes = Array.from({ length: 1_024 }, () => tail.take(1));
  await assert.rejects(tail.take(1), isRedexError("limit"));
  file.appendBatch(numbered(1_024));
  const taken = await Promise.all(takes);
  assert.deepEqual(described(taken[1_023]), ["1023=1023"]);
});

testKinds(
  "tails that are woken together get what each asked for, and each its own lag",
  async (kind) => {
    const kit = createKitOf(kind);
    await using _ = kit;
    const file = await kit.redex.open("a");
    file.appendBatch(numbered(4));
    const tails = [4n, 4n, 4n, 5n, 4n].map((from) => file.tail({ from }));
    const takes = tails.map((tail, i) => tail.take(i === 2 ? 1 : 9));
    file.appendBatch(numbered(3, 4));
    const whole = ["4=4", "5=5", "6=6"];
    assert.deepEqual((await Promise.all(takes)).map(described), [
      whole,
      whole,
      ["4=4"],
      ["5=5", "6=6"],
      whole,
    ]);
    assert.deepEqual(tails.map(({ position }) => position), [7n, 7n, 5n, 7n, 7n]);
    const later = tails.map((tail) => tail.take(9));
    file.skipTo(9n);
    const [first, second, behind, ...others] = (await Promise.all(later)).map(described);
    assert.deepEqual(behind, ["5=5", "6=6"], "it had not waited");
    for (const items of [first, second, ...others]) assert.deepEqual(items, ["lag 7-8 skipped"]);
    assert.equal(kit.count("lags_total"), 4);
    for (const tail of tails) tail.close();
  },
);

testKinds("ten thousand tails that wait cost an append nothing, and all see it", async (kind) => {
  const { kit, file } = await openFile(kind);
  await using _ = kit;
  const tails = Array.from({ length: 10_000 }, () => file.tail());
  const takes = tails.map((tail) => tail.take(10));
  const cost = medianAppendMs(file);
  assert.ok(cost < 0.05, `an append took ${cost} ms`);
  const seen = await Promise.all(takes);
  assert.ok(seen.every((items) => items?.length === 10));
  assert.equal(kit.count("tails_open"), 10_000);
  for (const tail of tails) tail.close();
  assert.equal(kit.count("tails_open"), 0);
});

function medianAppendMs(file: RedexFile): number {
  const times = Array.from({ length: 101 }, () => {
    const start = performance.now();
    file.append(bytes("x"));
    return performance.now() - start;
  });
  return times.sort((a, b) => a - b)[50] ?? 0;
}

testKinds("a tail lives through sweeps, compaction and full segments", async (kind) => {
  await using kit = createKitOf(kind, { segmentBytesMax: 1_024 });
  const file = await kit.redex.open("a", { retention: { eventsMax: 50 }, sweepMs: 0 });
  using behind = file.tail({ from: 0n });
  using live = file.tail();
  let seen = 0n;
  const following = (async () => {
    for (let items = await live.take(7); items !== undefined; items = await live.take(7)) {
      for (const item of items) {
        assert.equal(item.kind === "event" && item.seq, seen);
        seen += 1n;
      }
    }
  })();
  for (let round = 0; round < 20; round++) {
    file.appendBatch(
      numbered(15, round * 15).map((payload) => bytes(text(payload)?.padEnd(30) ?? "")),
    );
    await kit.clock.advance(1);
    if (round % 5 === 3) await file.sweep();
    if (round % 5 === 4) await file.compact();
  }
  assert.equal(seen, 300n);
  const items = drained(behind);
  assert.equal(items[0], "lag 0-234 retention");
  assert.equal(items.length, 66);
  if (kind === "disk") assert.ok(file.stat().generation > 5);
  await file.close();
  await following;
});
