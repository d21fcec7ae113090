/** Retention over many hours in which the program is ended or killed again and again. */
import assert from "node:assert/strict";
import { openRedex, type RedexFile, type Retention } from "../../../src/log/mod.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { seededRandom } from "../../sim/memory_network.ts";
import { SimDisk } from "../../sim/sim_disk.ts";
import { text } from "./redex_kit.ts";

const MINUTE_MS = 60_000;
const SEGMENT_BYTES = 8_000;
const SWEEP_MS = 15_000;
const RULES: readonly (readonly [Retention, bytesMax: number])[] = [
  [{ eventsMax: 150 }, 150 * 260],
  [{ bytesMax: 30_000 }, 30_000],
  [{ ageMaxMs: 20 * MINUTE_MS }, 20 * 12 * 260],
  [{ eventsMax: 400, bytesMax: 50_000, ageMaxMs: 30 * MINUTE_MS }, 50_000],
];

const payloadOf = (seq: number) =>
  new TextEncoder().encode(`${seq}:`.padEnd(20 + seq * 13 % 200, "."));

for (const [retention, keptBytes] of RULES) {
  Deno.test(`over restarts a log keeps ${JSON.stringify(retention)}, and readers hear of every number`, async () => {
    const clock = new ManualClock();
    const chance = seededRandom(7);
    const disk = new SimDisk();
    disk.makeFolder("data");
    disk.syncFolder("");
    let appended = 0;
    let position = 0;
    let seen = 0;
    let missed = 0;
    let firstSeq = 0n;
    for (let life = 0; life < 40; life++) {
      const redex = openRedex({ clock, disk }, {
        folder: "data/log",
        segmentBytesMax: SEGMENT_BYTES,
        defaults: { isPersistent: true },
      });
      const file = await redex.open("a", { retention, sweepMs: SWEEP_MS });
      assert.ok(file.firstSeq >= firstSeq, "what was forgotten does not come back");
      assert.equal(file.nextSeq, BigInt(appended));
      using tail = file.tail({ from: BigInt(position) });
      const isReader = life % 12 < 6;
      for (let minute = 0; minute < 15; minute++) {
        const batch = Array.from(
          { length: Math.floor(chance() * 12) },
          (_, i) => payloadOf(appended + i),
        );
        file.appendBatch(batch);
        appended += batch.length;
        await clock.advance(MINUTE_MS);
        for (let turn = 0; turn < 3; turn++) await clock.advance(0);
        assert.ok(
          disk.bytes < 2 * keptBytes + 4 * SEGMENT_BYTES,
          `${disk.bytes} bytes on disk, ${keptBytes} to be kept`,
        );
        if (!isReader || minute % 5 !== 0) continue;
        for (let items = tail.takeNow(20); items.length > 0; items = tail.takeNow(20)) {
          for (const item of items) {
            const from = Number(item.kind === "event" ? item.seq : item.from);
            assert.equal(from, position);
            if (item.kind === "event") {
              assert.equal(text(item.payload), text(payloadOf(from)));
              seen += 1;
            } else {
              assert.equal(item.reason, "retention");
              missed += Number(item.to) + 1 - from;
            }
            position = item.kind === "event" ? from + 1 : Number(item.to) + 1;
          }
        }
      }
      assertKept(file, retention, clock);
      firstSeq = file.firstSeq;
      if (life % 2 === 0) {
        await redex.close();
        continue;
      }
      // Killed, every other time in the middle of a sweep.
      const sweep = life % 4 === 1 ? file.sweep() : Promise.resolve(0);
      disk.kill();
      await Promise.allSettled([sweep, redex.close()]);
    }
    assert.equal(seen + missed, position);
    assert.ok(missed > 0 && seen > 0, `${seen} seen, ${missed} missed`);
  });
}

function assertKept(file: RedexFile, retention: Retention, clock: ManualClock): void {
  const { events, bytes } = file.stat();
  assert.ok(events <= (retention.eventsMax ?? Infinity), `${events} events`);
  assert.ok(bytes <= (retention.bytesMax ?? Infinity), `${bytes} bytes`);
  const [oldest] = file.readRange(file.firstSeq, file.nextSeq, 1);
  if (retention.ageMaxMs === undefined || oldest === undefined) return;
  const ageMs = clock.wallMs() - Number(oldest.timeNs / 1_000_000n);
  assert.ok(ageMs <= retention.ageMaxMs + SWEEP_MS + 1, `${ageMs} ms old`);
}
