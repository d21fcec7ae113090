/**
 * Logs that have what cannot be read in them: old checksums, wrong ones, short tails.
 *
 * Where ours departs: the core's applied watermark stays below the first event that it cannot read, for good, and
 * with it its snapshots and waits. Ours sets the event aside and passes it. Everything else is as the core does it.
 */
import assert from "node:assert/strict";
import { systemClock } from "../../../src/base/mod.ts";
import { xxh3 } from "../../../src/core/crypto/mod.ts";
import { openRedex, type RedexFile } from "../../../src/log/mod.ts";
import {
  type CortexAdapter,
  createTaskEvent,
  createTaskModel,
  decodeCortexSnapshot,
  decodeEvent,
  encodeEvent,
  openCortex,
  type TaskTable,
} from "../../../src/state/mod.ts";
import type { VectorSuite } from "../suite.ts";
import {
  bytesOf,
  has,
  integer,
  integerOf,
  listOf,
  numberOf,
  objectOf,
  recordOf,
  textOf,
  valueAt,
  type VectorObject,
} from "../vector_reader.ts";

const ORIGIN = 0x123456789abcdefn;

/** The part of `cortex_events.json` that is about the fold itself. */
export const FOLD_EVENTS_SUITE: VectorSuite = (document) => ({
  watermark: {
    cases: [recordOf(objectOf(document, "document"), "watermark")],
    check: (vector) => checkWatermark(vector, taskPayloads(document)),
  },
  legacy_checksum: {
    cases: [recordOf(objectOf(document, "document"), "legacy_checksum")],
    check: checkLegacy,
  },
});

/** Behind the tasks' events comes one that cannot be read. */
async function checkWatermark(
  vector: VectorObject,
  payloads: readonly Uint8Array[],
): Promise<void> {
  await withTasks(async (file, open) => {
    file.appendBatch(payloads);
    const undecodable = file.append(new Uint8Array(3));
    await using tasks = await open();
    assert.equal(tasks.foldedSeq, undecodable);
    // The core stays here; ours is past it, and says what it has passed.
    assert.equal(integerOf(vector, "applied_last_seq"), undecodable - 1n);
    assert.equal(tasks.appliedSeq, undecodable);
    assert.deepEqual(tasks.setAside.map(({ seq }) => seq), [undecodable]);
    const { dispatch, tail } = createTaskEvent(77n, "next", 1n);
    const token = tasks.append(dispatch, tail);
    assert.equal(token.seq, integerOf(vector, "next_create_seq"));
    // With the core this wait times out.
    await tasks.waitForToken(token, 0);
    assert.equal(tasks.snapshot().lastSeq, token.seq);
  });
}

async function checkLegacy(vector: VectorObject): Promise<void> {
  await withTasks(async (file, open) => {
    const appends = listOf(vector, "appends").map((entry) => objectOf(entry, "append"));
    for (const append of appends) file.append(legacyPayload(append));
    await using tasks = await open();
    const ids = listOf(vector, "result_ids").map((id) => integer(id, "id"));
    assert.deepEqual(tasks.state.find().map(({ id }) => id), ids);
    assert.equal(decodeCortexSnapshot(tasks.snapshot().bytes).appSeq, nextAppSeq(vector));
    const { seq } = tasks.append(0x77, new Uint8Array(0));
    const written = decodeEvent(file.read(seq)?.payload ?? new Uint8Array(0));
    assert.ok(written.ok);
    assert.equal(written.event.appSeq, nextAppSeq(vector));
    // The core's watermark stays below the first of the two that cannot be read.
    assert.deepEqual(tasks.setAside.map((event) => event.seq), [4n, 5n]);
    assert.equal(integerOf(vector, "snapshot_last_seq"), 3n);
    assert.equal(tasks.snapshot().lastSeq, seq);
  });
}

function nextAppSeq(vector: VectorObject): bigint {
  return integerOf(vector, "next_app_seq");
}

/** Checksum kind 1 is over the tail, 2 over all, 3 is wrong. */
function legacyPayload(append: VectorObject): Uint8Array {
  const tail = bytesOf(append, "tail");
  const payload = encodeEvent({
    dispatch: numberOf(append, "dispatch"),
    flags: 0,
    origin: has(append, "origin") ? BigInt(textOf(append, "origin")) : ORIGIN,
    appSeq: integerOf(append, "app_seq"),
  }, tail);
  const view = new DataView(payload.buffer);
  const kind = numberOf(append, "kind");
  if (kind === 1) view.setUint32(20, Number(xxh3(tail) & 0xffff_ffffn), true);
  if (kind === 3) view.setUint32(20, view.getUint32(20, true) ^ 1, true);
  return payload;
}

function taskPayloads(document: unknown): Uint8Array[] {
  const events = valueAt(document, "tasks_events.events");
  assert.ok(Array.isArray(events));
  return events.map((event) => bytesOf(objectOf(event, "event"), "payload"));
}

type OpenTasks = () => Promise<CortexAdapter<TaskTable>>;

async function withTasks(use: (file: RedexFile, open: OpenTasks) => Promise<void>): Promise<void> {
  const model = createTaskModel();
  await using redex = openRedex({ clock: systemClock });
  const file = await redex.open(model.channel);
  await use(file, () => openCortex({ redex, clock: systemClock }, model, { origin: ORIGIN }));
}
