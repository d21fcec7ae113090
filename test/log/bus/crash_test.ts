import assert from "node:assert/strict";
import { systemClock, systemDisk } from "../../../src/base/mod.ts";
import {
  createEventBus,
  createLogAdapter,
  openRedex,
  type StoredEvent,
} from "../../../src/log/mod.ts";
import { numbersOf } from "./bus_kit.ts";

const FLUSHES = 5;

Deno.test("what was flushed outlives kill -9, once each and in order, over many lives", async () => {
  const folder = await Deno.makeTempDir();
  let from = 0;
  let kept = 0;
  for (let life = 0; life < 3; life++) {
    const flushed = await publishUntilKilled(folder, from);
    const events = await readAll(folder);
    const numbers = new Set(numbersOf(events));
    assert.equal(numbers.size, events.length);
    for (let n = from; n < flushed; n++) assert.ok(numbers.has(n), `${n} is lost`);
    assert.ok(events.length >= kept + flushed - from);
    kept = events.length;
    for (const shard of [0, 1]) {
      const own = events.filter((event) => event.shard === shard);
      assert.ok(
        own.every(({ insertionTs }, i) => i === 0 || insertionTs > (own[i - 1]?.insertionTs ?? 0n)),
      );
      const ownNumbers = numbersOf(own);
      assert.deepEqual(ownNumbers, [...ownNumbers].sort((a, b) => a - b));
    }
    // Some that were not flushed may be there too.
    from = Math.max(...numbers) + 1;
  }
  await Deno.remove(folder, { recursive: true });
});

/** Up to which number all was flushed. */
async function publishUntilKilled(folder: string, from: number): Promise<number> {
  const program = new URL("crash_process.ts", import.meta.url).href;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", program, folder, String(from)],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  let isKilled = false;
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (isKilled || text.split("\n").length <= FLUSHES) continue;
    isKilled = true;
    child.kill("SIGKILL");
  }
  await child.status;
  return Number(text.split("\n").at(-2));
}

async function readAll(folder: string): Promise<StoredEvent[]> {
  await using redex = openRedex({ clock: systemClock, disk: systemDisk }, { folder });
  const adapter = createLogAdapter(redex);
  await using bus = await createEventBus({ clock: systemClock, adapter }, {
    shards: 2,
    scaling: false,
  });
  const events: StoredEvent[] = [];
  let fromId: string | undefined;
  for (;;) {
    const page = await bus.poll({ limit: 10_000, fromId });
    assert.deepEqual([page.failedShards, page.missed], [[], []]);
    events.push(...page.events);
    fromId = page.nextId;
    if (!page.hasMore) return events;
  }
}
