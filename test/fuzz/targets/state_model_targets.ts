/** Tails and snapshots of the models, bundles, and rows of a user's own: all come from files. */
import assert from "node:assert/strict";
import * as v from "valibot";
import { equalBytes, NetError } from "../../../src/base/mod.ts";
import {
  completeTaskEvent,
  createMemoryModel,
  createRowModel,
  createTaskEvent,
  createTaskModel,
  createWorkflowModel,
  decodeBundle,
  decodeCortexSnapshot,
  defineCollection,
  encodeBundle,
  FoldDecodeError,
  type FoldModel,
  linkEvent,
  type ModelEvent,
  NetDbError,
  parseRowWhere,
  parseTaskWhere,
  patchRowEvent,
  pinMemoryEvent,
  putRowEvent,
  requestCancelEvent,
  retagMemoryEvent,
  retryEvent,
  type RowState,
  storeMemoryEvent,
  submitEvent,
  transitionEvent,
} from "../../../src/state/mod.ts";
import { utf8 } from "../../../src/base/mod.ts";
import { assertSame, type CreateTarget, type FuzzTarget } from "../fuzz.ts";

const NOTES = defineCollection({
  name: "notes",
  schema: v.object({
    text: v.string(),
    stars: v.optional(v.number(), 0),
    at: v.optional(v.bigint()),
    tags: v.optional(v.array(v.string()), []),
  }),
});

const TASK_EVENTS = [
  createTaskEvent(1n, "water", 5n),
  createTaskEvent(2n ** 64n - 1n, "Straße ✓", 2n ** 64n - 1n),
  completeTaskEvent(1n, 7n),
];
const MEMORY_EVENTS = [
  storeMemoryEvent(1n, { content: "it rained", tags: ["weather", ""], source: "me" }, 5n),
  retagMemoryEvent(1n, ["a"], 6n),
  pinMemoryEvent(1n, 2n ** 60n),
];
const WORKFLOW_EVENTS = [
  submitEvent(1n),
  submitEvent(2n ** 40n),
  linkEvent(1n, 2n ** 40n),
  linkEvent(7n, 8n),
  transitionEvent(1n, "failed"),
  retryEvent(1n),
  requestCancelEvent(9n),
];
const ROW_EVENTS = [
  putRowEvent(1n, { text: "a", at: 2n ** 70n, tags: ["x"] }),
  putRowEvent(2n ** 64n - 1n, { text: "ß", stars: -0.5 }),
  patchRowEvent(1n, { stars: 3, at: undefined }),
];

/** Rows and their columns cost more than their bytes; so does the text of a bigint. */
const ROW_GROWTH = { factor: 96, base: 4096 };

type AnyState = RowState<unknown, unknown>;

/** A log of one event after another on a state that stays; the first byte is the dispatch. */
function tailTarget<State extends AnyState>(
  createModel: () => FoldModel<State>,
  events: readonly ModelEvent[],
): CreateTarget {
  return (): FuzzTarget => {
    const model = createModel();
    let state = model.create();
    let seq = 0n;
    return {
      corpus: events.map(({ dispatch, tail }) => Uint8Array.of(dispatch, ...tail)),
      growth: ROW_GROWTH,
      feed: (bytes) => {
        const [dispatch = 0] = bytes;
        const tail = bytes.subarray(1);
        const size = state.size;
        const event = { seq: seq++, dispatch, origin: 1n, appSeq: 0n, tail };
        let isChanged = false;
        try {
          isChanged = model.apply(state, event);
        } catch (error) {
          assert.ok(error instanceof FoldDecodeError, String(error));
          // What cannot be read changes nothing.
          assert.equal(state.size, size);
        }
        return isChanged ? bytes : undefined;
      },
      settle: () => {
        const encoded = model.encode(state);
        const again = model.decode(encoded);
        assertSame(model.encode(again), encoded);
        if (state.size > 2_000) state = model.create();
      },
    };
  };
}

/** States that were written down: what is accepted is the same after it was written again. */
function stateTarget<State extends AnyState>(
  createModel: () => FoldModel<State>,
  events: readonly ModelEvent[],
): CreateTarget {
  return (): FuzzTarget => {
    const model = createModel();
    const state = model.create();
    const corpus = events.map((event, at) => {
      model.apply(state, { ...event, seq: BigInt(at), origin: 1n, appSeq: 0n });
      return model.encode(state);
    });
    return {
      corpus,
      growth: ROW_GROWTH,
      feed: (bytes) => {
        let decoded: State;
        try {
          decoded = model.decode(bytes);
        } catch (error) {
          assert.ok(error instanceof FoldDecodeError, String(error));
          return undefined;
        }
        const encoded = model.encode(decoded);
        assertSame(model.encode(model.decode(encoded)), encoded);
        return decoded.find();
      },
    };
  };
}

function bundleTarget(): FuzzTarget {
  const snapshot = { bytes: Uint8Array.of(1, 3, 0, 0, 0), lastSeq: 2n ** 63n };
  const corpus = [
    encodeBundle({}),
    encodeBundle({ tasks: snapshot }),
    encodeBundle({ tasks: { ...snapshot, lastSeq: undefined }, memories: snapshot }),
    encodeBundle({ memories: snapshot, others: new Map([["netdb/notes", snapshot]]) }),
    encodeBundle({ others: new Map([["cortex/workflow", snapshot], ["netdb/a", snapshot]]) }),
  ];
  return {
    corpus,
    feed: (bytes) => {
      try {
        const bundle = decodeBundle(bytes);
        const again = encodeBundle(bundle);
        // Varints may have been longer than they have to be, and bytes of nobody may follow.
        assert.ok(again.length <= bytes.length);
        assert.ok(equalBytes(encodeBundle(decodeBundle(again)), again));
        for (const part of [bundle.tasks, bundle.memories]) {
          if (part !== undefined) assertSnapshot(part.bytes);
        }
        return bundle;
      } catch (error) {
        assert.ok(error instanceof NetDbError && error.kind === "decode", String(error));
        return undefined;
      }
    },
  };
}

function assertSnapshot(bytes: Uint8Array): void {
  try {
    decodeCortexSnapshot(bytes);
  } catch (error) {
    assert.ok(error instanceof FoldDecodeError, String(error));
  }
}

/** Conditions that people, and scripts that do not quote, write. */
function whereTarget(): FuzzTarget {
  const decoder = new TextDecoder();
  const row = { id: 1n, text: "a", stars: 2, at: 5n, tags: ["x"] };
  return {
    corpus: [
      "status=pending && title~fox",
      "created>=2026-11-28T09:00:00Z && !(id=7 || id>0x10)",
      `text="a b" || tags='x' && stars<=2.5`,
      "updated<-2h",
    ].map(utf8),
    growth: { factor: 64, base: 4096 },
    feed: (bytes) => {
      const text = decoder.decode(bytes);
      const parsed = [
        () => parseTaskWhere([text], { nowMs: 1e12 }),
        () => {
          const filter = parseRowWhere(NOTES, [text], { nowMs: 1e12 });
          filter.matching?.(row);
          return filter;
        },
      ].map((parse) => {
        try {
          return parse();
        } catch (error) {
          assert.ok(error instanceof NetError && error.next !== undefined, String(error));
          return undefined;
        }
      });
      return parsed.some((filter) => filter !== undefined) ? text : undefined;
    },
  };
}

/** Targets of this file by name. */
export const STATE_MODEL_TARGETS: Readonly<Record<string, CreateTarget>> = {
  task_tail: tailTarget(createTaskModel, TASK_EVENTS),
  memory_tail: tailTarget(createMemoryModel, MEMORY_EVENTS),
  workflow_tail: tailTarget(createWorkflowModel, WORKFLOW_EVENTS),
  row_tail: tailTarget(() => createRowModel(NOTES), ROW_EVENTS),
  task_state: stateTarget(createTaskModel, TASK_EVENTS),
  memory_state: stateTarget(createMemoryModel, MEMORY_EVENTS),
  workflow_state: stateTarget(createWorkflowModel, WORKFLOW_EVENTS),
  row_state: stateTarget(() => createRowModel(NOTES), ROW_EVENTS),
  netdb_bundle: bundleTarget,
  netdb_where: whereTarget,
};
