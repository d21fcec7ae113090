import assert from "node:assert/strict";
import fc from "fast-check";
import {
  createMemoryModel,
  deleteMemoryEvent,
  FoldDecodeError,
  MEMORY_EVENTS,
  type MemoryFilter,
  pinMemoryEvent,
  retagMemoryEvent,
  storeMemoryEvent,
  unpinMemoryEvent,
} from "../../../../src/state/mod.ts";
import {
  anyId,
  anyText,
  anyTime,
  assertRestorable,
  foldInto,
  naiveContains,
  naiveFind,
  rarely,
  timedParts,
} from "../model_samples.ts";

const model = createMemoryModel();
const fold = (...events: Parameters<typeof foldInto>[2]) => foldInto(model, model.create(), events);

const anyTags = fc.array(fc.constantFrom("a", "b", "B", ""), { maxLength: 3 });
const anySource = fc.constantFrom("s", "t", "");
const anyMemoryEvent = fc.oneof(
  fc.tuple(anyId, anyText, anyTags, anySource, anyTime).map(([id, content, tags, source, now]) =>
    storeMemoryEvent(id, { content, tags, source }, now)
  ),
  fc.tuple(anyId, anyTags, anyTime).map((args) => retagMemoryEvent(...args)),
  fc.tuple(anyId, anyTime).map((args) => pinMemoryEvent(...args)),
  fc.tuple(anyId, anyTime).map((args) => unpinMemoryEvent(...args)),
  anyId.map(deleteMemoryEvent),
);
const anyMemoryFilter: fc.Arbitrary<MemoryFilter> = fc.record({
  ...timedParts,
  source: rarely(anySource),
  contentContains: rarely(anyText),
  tag: rarely(fc.constantFrom("a", "B", "x")),
  anyTag: rarely(anyTags),
  allTags: rarely(anyTags),
  isPinned: rarely(fc.boolean()),
});

Deno.test("a stored memory keeps its pin and its first time when it is stored again", () => {
  const state = fold(
    storeMemoryEvent(1n, { content: "a", tags: ["x"], source: "s" }, 1n),
    pinMemoryEvent(1n, 2n),
    storeMemoryEvent(1n, { content: "b" }, 3n),
  );
  assert.deepEqual(state.get(1n), {
    id: 1n,
    content: "b",
    tags: [],
    source: "",
    createdNs: 1n,
    updatedNs: 3n,
    isPinned: true,
  });
  foldInto(model, state, [
    unpinMemoryEvent(1n, 4n),
    retagMemoryEvent(1n, ["y", "z"], 5n),
  ]);
  assert.deepEqual(state.get(1n)?.tags, ["y", "z"]);
  assert.equal(state.get(1n)?.isPinned, false);
  assert.ok(Object.isFrozen(state.get(1n)?.tags));
});

Deno.test("a memory stored after it was deleted is new", () => {
  const state = fold(
    storeMemoryEvent(1n, { content: "a" }, 1n),
    pinMemoryEvent(1n, 2n),
    deleteMemoryEvent(1n),
    storeMemoryEvent(1n, { content: "a" }, 9n),
  );
  assert.equal(state.get(1n)?.isPinned, false);
  assert.equal(state.get(1n)?.createdNs, 9n);
});

Deno.test("changes of a memory that is not there change nothing", () => {
  const state = model.create();
  const events = [
    pinMemoryEvent(1n, 1n),
    unpinMemoryEvent(1n, 1n),
    retagMemoryEvent(1n, ["a"], 1n),
    deleteMemoryEvent(1n),
    { dispatch: 0x01, tail: Uint8Array.of(1) },
  ];
  for (const event of events) {
    assert.equal(model.apply(state, { ...event, seq: 0n, origin: 0n, appSeq: 0n }), false);
  }
  assert.equal(state.size, 0);
});

Deno.test("tails that cannot be read are refused, and leave the state as it was", () => {
  const state = fold(storeMemoryEvent(1n, { content: "a", tags: ["t"] }, 1n));
  const before = model.encode(state);
  const content = { content: "content", tags: ["a", "bb"], source: "s" };
  const good = storeMemoryEvent(1n, content, 2n ** 60n).tail;
  for (let length = 0; length < good.length; length++) {
    const event = { dispatch: MEMORY_EVENTS.store, tail: good.subarray(0, length) };
    assert.throws(() => foldInto(model, state, [event]), FoldDecodeError);
  }
  // A list of more tags than there are bytes.
  const event = { dispatch: MEMORY_EVENTS.retag, tail: Uint8Array.of(1, 0xff, 0xff, 0x03, 1) };
  assert.throws(() => foldInto(model, state, [event]), FoldDecodeError);
  assert.deepEqual(model.encode(state), before);
});

Deno.test("decode() refuses states that were not written by anyone", () => {
  const row = (key: number, flag: number) => Uint8Array.of(1, key, 2, 0, 0, 0, 1, 1, flag);
  assert.equal(model.decode(row(2, 1)).get(2n)?.isPinned, true);
  assert.throws(() => model.decode(row(3, 1)), /under another id/);
  assert.throws(() => model.decode(row(2, 2)), FoldDecodeError);
  assert.throws(() => model.decode(Uint8Array.of(9)), FoldDecodeError);
});

Deno.test("filters, orders and limits find what looking at every memory finds", () => {
  const drawn = fc.array(anyMemoryEvent, { maxLength: 60, size: "max" });
  fc.assert(
    fc.property(drawn, fc.array(anyMemoryFilter, { maxLength: 8 }), (events, filters) => {
      const state = fold(...events);
      const rows = state.find();
      for (const filter of filters) {
        const { tag, anyTag = [], allTags = [], source, isPinned } = filter;
        const { all, found } = naiveFind(
          rows,
          filter,
          (memory) =>
            (source === undefined || memory.source === source) &&
            (tag === undefined || memory.tags.includes(tag)) &&
            (anyTag.length === 0 || anyTag.some((wanted) => memory.tags.includes(wanted))) &&
            allTags.every((wanted) => memory.tags.includes(wanted)) &&
            (isPinned === undefined || memory.isPinned === isPinned) &&
            naiveContains(memory.content, filter.contentContains ?? ""),
        );
        assert.deepEqual(state.find(filter), found);
        assert.equal(state.count(filter), all.length);
        assert.deepEqual(state.first(filter), found[0]);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("a fold of memories goes on from any snapshot", () => {
  fc.assert(
    fc.property(
      fc.array(anyMemoryEvent, { maxLength: 60, size: "max" }),
      fc.nat(60),
      (events, cut) => {
        assertRestorable(model, events, cut);
      },
    ),
  );
});
