import assert from "node:assert/strict";
import type { SimDisk } from "../../sim/sim_disk.ts";
import { createDiskKit, described, drained, FOLDER, numbered } from "./redex_kit.ts";

const PERSISTENT = { isPersistent: true } as const;
const DAT = `${FOLDER}/a/v0000000001/dat`;

/** Turns bytes of a file round. */
function spoil(disk: SimDisk, path: string, offset: number, length = 1): void {
  const file = disk.open(path);
  const bytes = new Uint8Array(length);
  file.readAt(offset, bytes);
  file.writeAt(offset, bytes.map((byte) => byte ^ 0xff));
  file.close();
}

Deno.test("damage that comes while the log is open is a lag of its own, and is counted once", async () => {
  await using kit = createDiskKit();
  const file = await kit.redex.open("a", PERSISTENT);
  file.appendBatch(numbered(10));
  await file.close();
  const again = await kit.redex.open("a", PERSISTENT);
  spoil(kit.disk, DAT, 3, 2);
  spoil(kit.disk, DAT, 9);
  using tail = again.tail({ from: 2n });
  assert.deepEqual(described(await tail.take(3)), ["2=2", "lag 3-4 damage"]);
  assert.deepEqual(drained(tail), ["5=5", "6=6", "7=7", "8=8", "lag 9-9 damage"]);
  assert.equal(again.read(4n), undefined);
  assert.equal(again.readRange(0n, 10n).length, 7);
  assert.equal(again.stat().damaged, 3);
  assert.equal(kit.count("damaged_total"), 3);
  using other = again.tail({ from: 0n });
  assert.equal(drained(other).length, 9);
  assert.equal(kit.count("damaged_total"), 3);
});

Deno.test("damage that is found when the log is opened is a lag too, until the log is written anew", async () => {
  await using kit = createDiskKit();
  const file = await kit.redex.open("a", PERSISTENT);
  file.appendBatch(numbered(8));
  file.skipTo(20n);
  file.appendBatch(numbered(2, 20));
  await file.close();
  spoil(kit.disk, DAT, 2, 3);
  // Without its note all of the log is verified.
  kit.disk.remove(`${FOLDER}/a/@checkpoint`);
  const again = await kit.redex.open("a", PERSISTENT);
  assert.equal(again.stat().damaged, 3);
  assert.equal(kit.count("damaged_total"), 3);
  const expected = [
    "0=0",
    "1=1",
    "lag 2-4 damage",
    "5=5",
    "6=6",
    "7=7",
    "lag 8-19 skipped",
    "20=20",
    "21=21",
  ];
  {
    using tail = again.tail({ from: 0n });
    assert.deepEqual(drained(tail), expected);
    using inside = again.tail({ from: 3n });
    assert.deepEqual(described(inside.takeNow(2)), ["lag 3-4 damage", "5=5"]);
    using single = again.tail({ from: 2n });
    assert.deepEqual(described(single.takeNow(1)), ["lag 2-4 damage"]);
    assert.deepEqual(described(single.takeNow(1)), ["5=5"]);
  }
  await again.compact();
  using tail = again.tail({ from: 0n });
  assert.deepEqual(drained(tail), expected.map((item) => item.replace("damage", "skipped")));
  assert.equal(again.stat().damaged, 0);
});
