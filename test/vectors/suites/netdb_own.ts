/** What a database of ours keeps where the core does not look, and the events of a user's collection. */
import assert from "node:assert/strict";
import * as v from "valibot";
import {
  type CortexSnapshot,
  createRowModel,
  decodeBundle,
  decodePlainValue,
  defineCollection,
  deleteRowEvent,
  encodeBundle,
  NetDbError,
  patchRowEvent,
  putRowEvent,
  type RowFields,
} from "../../../src/state/mod.ts";
import { utf8 } from "../../../src/base/mod.ts";
import type { VectorSuite } from "../suite.ts";
import {
  bytesOf,
  has,
  integerOf,
  listOf,
  numberOf,
  objectOf,
  recordOf,
  textOf,
  type VectorObject,
} from "../vector_reader.ts";

/** The suite of `docs/vectors/netdb.json`. */
export const NETDB_OWN_SUITE: VectorSuite = () => {
  const model = createRowModel(NOTES);
  const state = model.create();
  return {
    bundles: checkBundle,
    refused: (vector) =>
      assert.throws(
        () => decodeBundle(bytesOf(vector, "bytes")),
        (error) => error instanceof NetDbError && error.kind === "decode",
      ),
    ignored: (vector) => assert.equal(decodeBundle(bytesOf(vector, "bytes")).others?.size, 0),
    row_events: (vector) => {
      const event = { dispatch: numberOf(vector, "dispatch"), tail: bytesOf(vector, "tail") };
      assert.deepEqual(eventOf(vector), event);
      model.apply(state, { ...event, seq: 0n, origin: 0n, appSeq: 0n });
    },
    row_state: (vector) => {
      const bytes = bytesOf(vector, "state");
      assert.deepEqual(model.encode(state), bytes);
      const rows = model.decode(bytes).find().map(({ id, text, stars }) => ({
        id: String(id),
        text,
        stars: stars ?? null,
      }));
      assert.deepEqual(rows, listOf(vector, "rows"));
    },
  };
};

const NOTES = defineCollection({
  name: "notes",
  schema: v.object({
    text: v.string(),
    stars: v.optional(v.number()),
    at: v.optional(v.bigint()),
    raw: v.optional(v.instance(Uint8Array)),
  }),
});

function checkBundle(vector: VectorObject): void {
  const bytes = bytesOf(vector, "bytes");
  const bundle = {
    tasks: has(vector, "tasks") ? snapshotOf(recordOf(vector, "tasks")) : undefined,
    memories: has(vector, "memories") ? snapshotOf(recordOf(vector, "memories")) : undefined,
    others: new Map(
      listOf(vector, "others").map((value) => {
        const other = objectOf(value, "others");
        return [textOf(other, "channel"), snapshotOf(other)];
      }),
    ),
  };
  assert.deepEqual(encodeBundle(bundle), bytes);
  const decoded = decodeBundle(bytes);
  assert.deepEqual(encodeBundle(decoded), bytes);
  assert.deepEqual([...decoded.others?.keys() ?? []], [...bundle.others.keys()].sort());
}

function snapshotOf(vector: VectorObject): CortexSnapshot {
  return {
    bytes: bytesOf(vector, "snapshot"),
    lastSeq: has(vector, "last_seq") ? integerOf(vector, "last_seq") : undefined,
  };
}

function eventOf(vector: VectorObject) {
  const id = integerOf(vector, "id");
  const op = textOf(vector, "op");
  if (op === "delete") return deleteRowEvent(id);
  const fields = decodePlainValue(utf8(JSON.stringify(vector.fields))) as RowFields;
  return op === "put" ? putRowEvent(id, fields) : patchRowEvent(id, fields);
}
