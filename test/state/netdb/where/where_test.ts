import assert from "node:assert/strict";
import * as v from "valibot";
import fc from "fast-check";
import {
  createTaskEvent,
  createTaskModel,
  defineCollection,
  type Memory,
  NetDbError,
  parseMemoryWhere,
  parseRowWhere,
  parseTaskWhere,
  parseWorkflowWhere,
  type Task,
  type WorkflowTask,
} from "../../../../src/state/mod.ts";

const NOW = { nowMs: Date.parse("2026-11-28T12:00:00Z") };
const NOON_NS = BigInt(NOW.nowMs) * 1_000_000n;
const HOUR_NS = 3_600_000_000_000n;

const task = (fields: Partial<Task>): Task => ({
  id: 7n,
  title: "The quick fox",
  status: "pending",
  createdNs: NOON_NS - HOUR_NS,
  updatedNs: NOON_NS,
  ...fields,
});

Deno.test("parseTaskWhere() makes parts of the filter where the filter has them", () => {
  const parts = (...texts: string[]) => parseTaskWhere(texts, NOW);
  assert.deepEqual(parts(), {});
  assert.deepEqual(parts("status=pending && title~fox"), {
    status: "pending",
    titleContains: "fox",
  });
  assert.deepEqual(parts("status==COMPLETED", "id=0x10"), { status: "completed", idIn: [16n] });
  assert.deepEqual(parts("created>=2026-11-28T11:00:00Z && created<-30m"), {
    created: { gte: NOON_NS - HOUR_NS, lt: NOON_NS - HOUR_NS / 2n },
  });
  assert.deepEqual(parts("updated=1732780800000000001"), {
    updated: { gte: 1732780800000000001n, lte: 1732780800000000001n },
  });
});

Deno.test("parseTaskWhere() looks at each task for what the filter has no part for", () => {
  const holds = (text: string, fields: Partial<Task> = {}) => {
    const { matching, ...parts } = parseTaskWhere([text], NOW);
    assert.deepEqual(parts, {});
    return matching?.(task(fields));
  };
  assert.equal(holds("status=completed || title~QUICK"), true);
  assert.equal(holds("!(status=pending)"), false);
  assert.equal(holds("title!=x"), true);
  assert.equal(holds('title="The quick fox"'), true);
  assert.equal(holds("title=fox"), false);
  assert.equal(holds("created!=-1h"), false);
  assert.equal(holds("id>7 || id<7"), false);
  assert.equal(holds("id>18446744073709551614", { id: 2n ** 64n - 1n }), true);
});

Deno.test("parseTaskWhere() keeps a second condition on what has a part already", () => {
  const { matching, ...parts } = parseTaskWhere(["title~quick && title~fox && id=7", "id=8"], NOW);
  assert.deepEqual(parts, { titleContains: "quick", idIn: [7n] });
  assert.equal(matching?.(task({})), false);
  assert.equal(matching?.(task({ id: 8n })), true);
  assert.equal(matching?.(task({ id: 8n, title: "quick" })), false);
});

Deno.test("parseMemoryWhere() asks for tags, sources, contents and whether it is pinned", () => {
  const parts = (text: string) => parseMemoryWhere([text], NOW);
  assert.deepEqual(parts("tag=a && source=cli && content~dog && pinned"), {
    tag: "a",
    source: "cli",
    contentContains: "dog",
    isPinned: true,
  });
  assert.deepEqual(parts("!pinned"), { isPinned: false });
  assert.deepEqual(parts("pinned!=true"), { isPinned: false });
  const memory: Memory = {
    id: 1n,
    content: "x",
    tags: ["a", "b"],
    source: "s",
    createdNs: 1n,
    updatedNs: 1n,
    isPinned: false,
  };
  const holds = (text: string) => parts(text).matching?.(memory) ?? true;
  assert.equal(holds("tag=a && tag=b"), true);
  assert.equal(holds("tag=a && tags!=b"), false);
  assert.equal(holds("tag=a || tag=c"), true);
  assert.equal(holds("tags || pinned"), true);
});

Deno.test("parseWorkflowWhere() asks for status, steps, attempts, parents and cancels", () => {
  assert.deepEqual(parseWorkflowWhere(["status=failed && cancelled && !terminal"], NOW), {
    status: "failed",
    isCancelRequested: true,
    isTerminal: false,
  });
  const row: WorkflowTask = {
    id: 1n,
    step: 3,
    status: "running",
    attempts: 2,
    isCancelRequested: false,
    children: [],
    parent: undefined,
  };
  const holds = (text: string) => parseWorkflowWhere([text], NOW).matching?.(row);
  assert.equal(holds("step>=3 && attempts<3"), true);
  assert.equal(holds("parent=5"), false);
  assert.equal(holds("parent!=5"), true);
});

Deno.test("parseRowWhere() compares fields as what they are, and follows dots", () => {
  const definition = defineCollection({
    name: "parts",
    schema: v.object({
      code: v.string(),
      size: v.number(),
      big: v.bigint(),
      isNew: v.boolean(),
      none: v.nullable(v.string()),
      at: v.date(),
      tags: v.array(v.string()),
      place: v.object({ shelf: v.number() }),
    }),
  });
  const row = {
    id: 1n,
    code: "12",
    size: 12,
    big: 2n ** 70n,
    isNew: true,
    none: null,
    at: new Date("2026-11-28"),
    tags: ["x"],
    place: { shelf: 4 },
  };
  const holds = (text: string) => parseRowWhere(definition, [text], NOW).matching?.(row);
  for (
    const text of [
      "code=12",
      'code="12"',
      "code~1",
      "size=12",
      "size>=12 && size<12.5",
      "big>1180591620717411303423",
      "isNew",
      "isNew=true",
      "isNew!=false",
      "none=null",
      "at=2026-11-28",
      "at>2026-11-27",
      "tags=x",
      "tags~x",
      "tags!=y",
      "place.shelf=4",
      "id=1",
    ]
  ) assert.equal(holds(text), true, text);
  for (
    const text of ['size="12"', "code>2", "none", "place.none", "tags=y", "isNew>false", "at<-1h0"]
  ) {
    assert.notEqual(holds(text), true, text);
  }
  assert.throws(() => holds("cod=1"), /must be one of id, code, size/);
});

Deno.test("conditions that are wrong say where, and what there is", () => {
  const refused = (text: string, message: RegExp) =>
    assert.throws(() => parseTaskWhere([text], NOW), (error) => {
      assert.ok(error instanceof NetDbError && error.kind === "filter");
      assert.match(error.message, message);
      assert.ok(error.next !== undefined);
      return true;
    });
  refused("stat=pending", /column 1 is "stat=pending", must be one of id, created, updated, title/);
  refused("status=open", /column 8 is "open", must be one of pending, completed/);
  refused("status>pending", /must be one of pending, completed/);
  refused("created>=soon", /must be a time such as 2026-11-28/);
  refused("title", /column 6 is the end, must be an operator and a text/);
  refused("title=", /must be a value/);
  refused("id~7", /must be a whole number/);
});

Deno.test("a condition finds the tasks that its tree holds for, as a part or not", () => {
  const model = createTaskModel();
  const state = model.create();
  for (let id = 0n; id < 20n; id++) {
    const event = createTaskEvent(id, id % 3n === 0n ? "fox" : "dog", id * 10n);
    model.apply(state, { ...event, seq: id, origin: 1n, appSeq: id });
  }
  const clause = fc.oneof(
    fc.constantFrom("title~fox", "title~o", "status=pending", "title=dog"),
    fc.tuple(fc.constantFrom(">", ">=", "<", "<=", "=", "!="), fc.nat(200)).map(
      ([operator, time]) => `created${operator}${time}`,
    ),
    fc.nat(21).map((id) => `id=${id}`),
  );
  fc.assert(fc.property(fc.array(clause, { minLength: 1, maxLength: 4 }), (clauses) => {
    const joined = state.find(parseTaskWhere([clauses.join(" && ")], NOW));
    // A double negation is no part of any filter: each row is looked at.
    const looked = state.find(parseTaskWhere(clauses.map((text) => `!!(${text})`), NOW));
    assert.deepEqual(joined, looked);
    assert.equal(state.count(parseTaskWhere(clauses, NOW)), joined.length);
  }));
});
