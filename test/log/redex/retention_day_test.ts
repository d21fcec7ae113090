/** A simulated day of retention, with readers of every pace attached. */
import assert from "node:assert/strict";
import type { RedexFile, RedexTail, Retention, TailItem } from "../../../src/log/mod.ts";
import { seededRandom } from "../../sim/memory_network.ts";
import { createKitOf, testKinds, text } from "./redex_kit.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Time between two rounds of appends. */
const STEP_MS = 4_000;
const RETENTION: Retention = { eventsMax: 1_500, bytesMax: 120_000, ageMaxMs: 2 * HOUR_MS };
const SEGMENT_BYTES = 40_000;
/**
 * On disk lies at most what is kept, a segment of which a part is forgotten, the one that is written, and with
 * each record 28 bytes of index and time, of which retention counts 20.
 */
const DISK_BYTES_MAX = 2 * 120_000 + 2 * SEGMENT_BYTES;

/** Payload of an event, so that nobody has to remember it. */
function payloadOf(seq: number): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${seq}:`.padEnd(20 + seq * 13 % 150, "."));
}

/** Checks everything that a tail gives: each number once, in order, as an event or in a lag. */
class Reader {
  events = 0;
  missed = 0;
  #next = 0;
  readonly #file: RedexFile;

  constructor(readonly tail: RedexTail, file: RedexFile) {
    this.#file = file;
  }

  see(items: readonly TailItem[]): void {
    for (const item of items) {
      const first = Number(item.kind === "event" ? item.seq : item.from);
      assert.equal(first, this.#next, "no number is passed over, and none comes twice");
      if (item.kind === "event") {
        assert.equal(text(item.payload), text(payloadOf(first)));
        this.events += 1;
        this.#next = first + 1;
      } else {
        assert.equal(item.reason, "retention");
        assert.ok(item.to < this.#file.firstSeq, "what is said to be gone is gone");
        this.missed += Number(item.to) + 1 - first;
        this.#next = Number(item.to) + 1;
      }
    }
  }

  /** Reads on until nothing is left. */
  drain(): void {
    for (let items = this.tail.takeNow(100); items.length > 0; items = this.tail.takeNow(100)) {
      this.see(items);
    }
  }
}

testKinds(
  "a day of retention: bounded, and no reader misses an event without being told",
  async (kind) => {
    await using kit = createKitOf(kind, { segmentBytesMax: SEGMENT_BYTES });
    const file = await kit.redex.open("day", { retention: RETENTION, sweepMs: 15_000 });
    const chance = seededRandom(20_817);
    const open = () => new Reader(file.tail({ from: 0n }), file);
    const [live, minutely, slow, rare, sleeper] = [open(), open(), open(), open(), open()];
    const following = (async () => {
      for (
        let items = await live.tail.take(50);
        items !== undefined;
        items = await live.tail.take(50)
      ) {
        live.see(items);
      }
    })();
    let appended = 0;
    let bytesMax = 0;
    for (let time = 0; time < DAY_MS; time += STEP_MS) {
      // Rush hours, and hours in which nothing happens.
      const hour = Math.floor(time / HOUR_MS);
      const count = hour % 6 === 5 ? 0 : Math.floor(chance() * (hour % 6 === 2 ? 25 : 4));
      if (count > 0) {
        const payloads = Array.from({ length: count }, (_, i) => payloadOf(appended + i));
        assert.equal(file.appendBatch(payloads), BigInt(appended));
        appended += count;
      }
      await kit.clock.advance(STEP_MS);
      if (time % 60_000 === 0) minutely.drain();
      if (time % 60_000 === 0) slow.see(slow.tail.takeNow(10));
      if (time % (5 * HOUR_MS) === 0) rare.drain();
      if (time % 60_000 === 0) {
        bytesMax = Math.max(bytesMax, kind === "disk" ? kit.disk.bytes : file.stat().bytes);
      }
    }
    // The last hour was a quiet one: what is left is not older than it may be.
    const readers = { live, minutely, slow, rare, sleeper };
    for (const reader of Object.values(readers)) reader.drain();
    for (const [name, { events, missed }] of Object.entries(readers)) {
      assert.equal(events + missed, appended, `${name} heard of every event`);
    }
    assert.equal(live.missed, 0);
    assert.equal(minutely.missed, 0, "a reader that is fast enough misses nothing");
    assert.ok(slow.missed > 0 && rare.missed > 0 && sleeper.missed > appended / 2);
    assert.ok(appended > 60_000, `${appended} events`);
    assert.ok(bytesMax < DISK_BYTES_MAX, `${bytesMax} bytes`);
    assert.ok(file.stat().events <= 1_500 && file.stat().bytes <= 120_000);
    assert.equal(kit.count("sweep_failures_total"), 0);
    assert.equal(
      kit.count("events_swept_total") + file.stat().events,
      appended,
      "what went, and what is there, is all there was",
    );
    await file.close();
    await following;
    assert.deepEqual(kit.errors, []);
    if (kind === "disk") assert.equal(kit.disk.openFiles, 0);
  },
);
