import assert from "node:assert/strict";
import { type PayloadCodec, postcardPayloads, typedFile } from "../../../src/log/mod.ts";
import { bytes, createRedexKit, isRedexError } from "./redex_kit.ts";

interface Reading {
  readonly sensor: string;
  readonly value: number;
}

const READINGS: PayloadCodec<Reading> = postcardPayloads({
  write: (writer, { sensor, value }) => {
    if (value < 0) throw new RangeError("below 0");
    return writer.text(sensor).varint(value);
  },
  read: (reader) => ({ sensor: reader.text(), value: reader.u32() }),
});

async function openReadings() {
  const kit = createRedexKit();
  return { kit, readings: typedFile(await kit.redex.open("a"), READINGS) };
}

const at = (value: number): Reading => ({ sensor: "t", value });

Deno.test("values are appended and read as what they are", async () => {
  const { kit, readings } = await openReadings();
  await using _ = kit;
  assert.equal(readings.append(at(1)), 0n);
  assert.equal(readings.appendBatch([at(2), at(300)]), 1n);
  assert.equal(readings.appendBatchIfNext(3n, [at(4)]), 3n);
  assert.equal(await readings.appendDurable([at(5)]), 4n);
  assert.equal(readings.appendBatch([]), undefined);
  assert.deepEqual(readings.read(2n)?.value, at(300));
  assert.equal(readings.read(9n), undefined);
  const all = readings.readRange(0n, 9n).map((item) => item.kind === "event" && item.value.value);
  assert.deepEqual(all, [1, 2, 300, 4, 5]);
  assert.deepEqual(readings.file.read(2n)?.payload, Uint8Array.of(1, 0x74, 0xac, 0x02));
});

Deno.test("a value that cannot be written keeps its batch out of the log", async () => {
  const { kit, readings } = await openReadings();
  await using _ = kit;
  assert.throws(() => readings.append(at(-1)), isRedexError("encode"));
  assert.throws(() => readings.appendBatch([at(1), at(-1)]), isRedexError("encode"));
  await assert.rejects(readings.appendDurable([at(-1)]), isRedexError("encode"));
  assert.equal(readings.file.nextSeq, 0n);
});

Deno.test("an event that is no value is seen as such, and the tail goes on", async () => {
  const { kit, readings } = await openReadings();
  await using _ = kit;
  using tail = readings.tail();
  readings.append(at(1));
  readings.file.append(bytes("\u00ff"));
  readings.append(at(3));
  assert.throws(() => readings.read(1n), isRedexError("decode"));
  assert.deepEqual(readings.readRange(0n, 3n).map(({ kind }) => kind), [
    "event",
    "undecodable",
    "event",
  ]);
  const items = await tail.take(10) ?? [];
  assert.deepEqual(items.map(({ kind }) => kind), ["event", "undecodable", "event"]);
  assert.ok(items[1]?.kind === "undecodable" && items[1].reason === "postcard_eof");
  assert.equal(tail.position, 3n);
});

Deno.test("a typed tail is iterated, ends with its signal, and says what it missed", async () => {
  const { kit, readings } = await openReadings();
  await using _ = kit;
  readings.append(at(0));
  readings.file.skipTo(5n);
  readings.append(at(5));
  const seen: unknown[] = [];
  const controller = new AbortController();
  for await (const item of readings.tail({ from: 0n, signal: controller.signal })) {
    seen.push(item.kind === "event" ? item.value.value : item.kind);
    if (seen.length === 3) controller.abort();
  }
  assert.deepEqual(seen, [0, "lag", 5]);
  for await (const item of readings.tail({ from: 5n })) {
    assert.equal(item.kind, "event");
    break;
  }
  assert.equal(kit.count("tails_open"), 0);
});
