import assert from "node:assert/strict";
import { systemDisk } from "../../../src/base/mod.ts";
import { watchGrowth } from "../../../src/services/log/growth.ts";
import { ManualClock } from "../../sim/manual_clock.ts";

Deno.test("watchGrowth() tells of what newer generations have, until it is stopped", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const clock = new ManualClock();
    const told: number[] = [];
    const place = { folder, generation: 3, totalBytes: 100 };
    const watch = watchGrowth({ disk: systemDisk, clock }, place, (done) => void told.push(done));
    const write = async (name: string, bytes: number) => {
      await Deno.mkdir(`${folder}/${name}`, { recursive: true });
      await Deno.writeFile(`${folder}/${name}/dat`, new Uint8Array(bytes));
    };
    await write("v0000000003", 100);
    await clock.advance(300);
    assert.deepEqual(told, []);
    await write("v0000000004", 40);
    await clock.advance(250);
    await write("v0000000004", 400);
    await clock.advance(250);
    assert.deepEqual(told, [40, 100]);
    watch[Symbol.dispose]();
    await clock.advance(1_000);
    assert.equal(told.length, 2);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
