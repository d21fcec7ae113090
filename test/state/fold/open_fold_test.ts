import assert from "node:assert/strict";
import fc from "fast-check";
import * as v from "valibot";
import { openRedex } from "../../../src/log/mod.ts";
import {
  decodeEvent,
  defineFold,
  encodeEvent,
  FoldDecodeError,
  jsonCodec,
  openFold,
  type OpenFoldOptions,
  postcardCodec,
  readFoldEvent,
} from "../../../src/state/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { settle } from "../cortex/harness.ts";

const amount = v.pipe(v.number(), v.integer(), v.minValue(1));

const ledger = defineFold({
  channel: "bank/ledger",
  state: () => ({ balances: new Map<string, number>(), frozen: new Set<string>() }),
  events: {
    deposited: {
      dispatch: 0x80,
      data: v.object({ account: v.string(), amount }),
      apply: ({ balances }, { account, amount }) =>
        void balances.set(account, (balances.get(account) ?? 0) + amount),
    },
    frozen: {
      dispatch: 0x81,
      data: postcardCodec({ account: "text" }),
      apply: ({ frozen }, { account }) => {
        if (frozen.has(account)) return false;
        frozen.add(account);
        return true;
      },
    },
  },
});

function createBench() {
  const clock = new ManualClock();
  const redex = openRedex({ clock });
  return {
    redex,
    open: (options: Partial<OpenFoldOptions> = {}) =>
      openFold({ redex, clock }, ledger, { origin: 9n, ...options }),
  };
}

Deno.test("a declared fold has a typed function per event, and its state", async () => {
  const { redex, open } = createBench();
  await using _ = redex;
  await using fold = await open();
  const token = fold.append.deposited({ account: "a", amount: 5 });
  assert.deepEqual(token, { origin: 9n, seq: 0n });
  fold.append.frozen({ account: "a" });
  const last = fold.appendAll([
    { event: "deposited", data: { account: "b", amount: 1 } },
    { event: "deposited", data: { account: "a", amount: 1 } },
  ]);
  assert.deepEqual(last, { origin: 9n, seq: 3n });
  assert.deepEqual([...fold.state.balances], [["a", 6], ["b", 1]]);
  assert.deepEqual([...fold.state.frozen], ["a"]);
  assert.equal(fold.pollToken(token), true);
  await fold.waitForToken(token, 0);
  await fold.waitForSeq(3n, 0);
  assert.deepEqual([fold.appliedSeq, fold.foldedSeq, fold.origin], [3n, 3n, 9n]);
  assert.deepEqual([fold.channel, fold.isRunning, fold.failure], ["bank/ledger", true, undefined]);
});

Deno.test("its events are ordinary events of the log", async () => {
  const { redex, open } = createBench();
  await using _ = redex;
  await using fold = await open();
  fold.append.deposited({ account: "a", amount: 5 });
  fold.append.frozen({ account: "a" });
  const file = redex.get("bank/ledger");
  const read = (seq: bigint) => decodeEvent(file?.read(seq)?.payload ?? new Uint8Array(0));
  const [json, postcard] = [read(0n), read(1n)];
  assert.ok(json.ok && postcard.ok);
  assert.equal(json.event.dispatch, 0x80);
  assert.equal(new TextDecoder().decode(json.event.tail), '{"account":"a","amount":5}');
  assert.equal(postcard.event.tail.toHex(), "0161");
});

Deno.test("readFoldEvent() gives one event as it was declared", async () => {
  const { redex, open } = createBench();
  await using _ = redex;
  await using fold = await open();
  fold.append.deposited({ account: "a", amount: 5 });
  const file = redex.get("bank/ledger");
  const read = readFoldEvent(ledger, file?.read(0n)?.payload ?? new Uint8Array(0));
  assert.deepEqual(read, { event: "deposited", data: { account: "a", amount: 5 }, origin: 9n });
  // The name tells the type of the data.
  if (read?.event === "deposited") assert.equal(read.data.amount + 1, 6);
  const write = (dispatch: number) =>
    encodeEvent({ dispatch, flags: 0, origin: 1n, appSeq: 0n }, new Uint8Array(0));
  assert.equal(readFoldEvent(ledger, write(0x99)), undefined);
  assert.throws(() => readFoldEvent(ledger, write(0x80)), FoldDecodeError);
  assert.throws(() => readFoldEvent(ledger, new Uint8Array(3)), FoldDecodeError);
});

Deno.test("what a writer gives and what a fold gets may differ", async () => {
  const text = v.pipe(v.string(), v.transform((digits) => BigInt(digits)));
  const sums = defineFold({
    channel: "a/b",
    state: () => ({ total: 0n }),
    events: {
      schema: { dispatch: 0x80, data: text, apply: (state, n) => void (state.total += n) },
      codec: {
        dispatch: 0x81,
        data: jsonCodec(text),
        apply: (state, n) => void (state.total += n),
      },
    },
  });
  const clock = new ManualClock();
  await using redex = openRedex({ clock });
  await using fold = await openFold({ redex, clock }, sums, { origin: 1n });
  fold.append.schema("40");
  fold.append.codec("2");
  // @ts-expect-error -- a writer gives a text
  assert.throws(() => fold.append.schema(2n), { code: "usage" });
  assert.equal(fold.state.total, 42n);
  // What a schema's own function throws stops nothing either.
  assert.throws(() => fold.append.schema("four"), { code: "usage" });
  const bad = encodeEvent(
    { dispatch: 0x80, flags: 0, origin: 1n, appSeq: 9n },
    new TextEncoder().encode('"four"'),
  );
  redex.get("a/b")?.append(bad);
  await settle();
  assert.deepEqual([fold.isRunning, fold.setAsideTotal], [true, 1]);
});

Deno.test("data that readers would refuse is not appended", async () => {
  const { redex, open } = createBench();
  await using _ = redex;
  await using fold = await open();
  assert.throws(() => fold.append.deposited({ account: "a", amount: 0 }), {
    code: "usage",
    message: 'Cannot append "deposited": "amount" must be >=1',
  });
  assert.throws(
    () => fold.append.frozen({ account: 3 as unknown as string }),
    { message: 'Cannot append "frozen": "account" must be a text' },
  );
  assert.throws(() =>
    fold.appendAll([
      { event: "frozen", data: { account: "a" } },
      { event: "deposited", data: { account: "a", amount: -1 } },
    ]), { code: "usage" });
  assert.equal(redex.get("bank/ledger")?.nextSeq, 0n);
});

Deno.test("what others wrote and cannot be read is set aside", async () => {
  const { redex, open } = createBench();
  await using _ = redex;
  await using fold = await open();
  const file = redex.get("bank/ledger");
  const write = (dispatch: number, tail: string) =>
    file?.append(
      encodeEvent({ dispatch, flags: 0, origin: 1n, appSeq: 0n }, new TextEncoder().encode(tail)),
    );
  write(0x80, '{"account":"a"}');
  write(0x80, "?");
  write(0x81, "");
  write(0x99, "of a later version");
  write(0x80, '{"account":"a","amount":2}');
  await settle();
  assert.deepEqual(fold.setAside.map(({ seq, reason }) => [seq, reason]), [
    [0n, '"amount" is missing'],
    [1n, "data is no JSON"],
    [2n, "data is not these postcard fields: postcard_eof"],
  ]);
  assert.deepEqual([fold.setAsideTotal, fold.missedTotal, fold.appliedSeq], [3, 0, 4n]);
  assert.equal(fold.state.balances.get("a"), 2);
});

Deno.test("a watch of a declared fold is woken by what changes its state", async () => {
  const { redex, open } = createBench();
  await using _ = redex;
  const fold = await open();
  let changes = 0;
  fold.onChange(() => {
    changes += 1;
  });
  const seen: string[][] = [];
  const watching = (async () => {
    for await (const names of fold.watch(({ frozen }) => [...frozen])) seen.push(names);
  })();
  await settle();
  fold.append.frozen({ account: "a" });
  await settle();
  fold.append.frozen({ account: "a" });
  await settle();
  const { snapshot, changes: later } = fold.snapshotAndWatch(({ balances }) => balances.size);
  assert.equal(snapshot, 0);
  await fold.close();
  await watching;
  assert.deepEqual(seen, [[], ["a"]]);
  assert.equal(changes, 2);
  assert.deepEqual(await Array.fromAsync(later), []);
});

Deno.test("a snapshot of a declared fold is loaded again, and what it cannot hold is refused", async () => {
  const { redex, open } = createBench();
  await using _ = redex;
  const first = await open();
  first.append.deposited({ account: "a", amount: 5 });
  first.append.frozen({ account: "b" });
  const snapshot = first.snapshot();
  await first.close();
  await using second = await open({ snapshot });
  assert.deepEqual(second.state, first.state);
  second.append.deposited({ account: "a", amount: 1 });
  assert.equal(second.state.balances.get("a"), 6);
  await second.sync();
  assert.equal(second.persistedSeq, 3n);
  const wrong = { bytes: Uint8Array.of(0, 1, 0x33), lastSeq: 0n };
  await assert.rejects(open({ snapshot: wrong }), FoldDecodeError);
});

Deno.test("defineFold() refuses numbers that are taken", () => {
  const event = { data: v.string(), apply: () => {} };
  const stub = { channel: "a/b", state: () => ({}) };
  const define = (...numbers: number[]) =>
    defineFold({
      ...stub,
      events: Object.fromEntries(
        numbers.map((dispatch, i) => [`event${i}`, { ...event, dispatch }]),
      ),
    });
  define(0x80, 0xff);
  assert.throws(() => define(0x7f), /dispatch is 127, must be 128..255/);
  assert.throws(() => define(256), RangeError);
  assert.throws(() => define(0x80, 0x80), /"event1": dispatch 128 is another event's/);
  const later = v.pipeAsync(v.string(), v.checkAsync(() => Promise.resolve(true)));
  const data = later as unknown as v.GenericSchema<string>;
  assert.throws(
    () => defineFold({ ...stub, events: { a: { dispatch: 0x80, data, apply: () => {} } } }),
    TypeError,
  );
});

Deno.test("postcardCodec() gives back what it was given", () => {
  const codec = postcardCodec({
    a: "u8",
    b: "u32",
    c: "u64",
    d: "flag",
    e: "text",
    f: "bytes",
    g: "texts",
  });
  const value = fc.record({
    a: fc.nat(255),
    b: fc.nat(2 ** 32 - 1),
    c: fc.bigInt(0n, 2n ** 64n - 1n),
    d: fc.boolean(),
    e: fc.string(),
    f: fc.uint8Array(),
    g: fc.array(fc.string()),
  }, { noNullPrototype: true });
  fc.assert(fc.property(value, (value) => {
    const bytes = codec.encode(value);
    assert.deepEqual(codec.decode(bytes), value);
    // Fields of a later version are not looked at.
    assert.deepEqual(codec.decode(new Uint8Array([...bytes, 1, 2])), value);
    assert.throws(() => codec.decode(bytes.subarray(0, -1)), FoldDecodeError);
  }));
  const good = { a: 1, b: 1, c: 1n, d: true, e: "", f: new Uint8Array(0), g: [] };
  const wrong = { a: 256, b: -1, c: 2n ** 64n, d: 1, e: null, f: [1], g: [1] };
  for (const [name, bad] of Object.entries(wrong)) {
    const given = { ...good, [name]: bad } as unknown as typeof good;
    assert.throws(() => codec.encode(given), new RegExp(`"${name}" must be `));
  }
});

Deno.test("jsonCodec() reads any bytes, or says why not", () => {
  const codec = jsonCodec(v.object({ name: v.string(), tags: v.array(v.string()) }));
  fc.assert(fc.property(fc.oneof(fc.uint8Array(), fc.json().map(utf8)), (bytes) => {
    try {
      codec.decode(bytes);
    } catch (error) {
      assert.ok(error instanceof FoldDecodeError);
    }
  }));
});

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
