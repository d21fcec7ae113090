/** Packs of a process that is killed again and again: what it flushed and did not remove is there, and whole. */
import assert from "node:assert/strict";
import { openFileChunkStore } from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { seededRandom } from "../../sim/memory_network.ts";
import { chunkOf, KILL_LIMITS } from "./pack_kill_process.ts";
import { withFolder } from "./store_kit.ts";

const KILLS = Number(Deno.env.get("NET_PACK_KILLS") ?? "8");

/** Runs the process until so many lines were read, and some milliseconds more; all lines until its end. */
async function runAndKill(folder: string, start: number, lines: number, ms: number) {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--quiet",
      "--no-check",
      new URL("pack_kill_process.ts", import.meta.url).pathname,
      folder,
      String(start),
    ],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  let isTold = false;
  for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += piece;
    if (isTold || text.split("\n").length <= lines) continue;
    isTold = true;
    setTimeout(() => child.kill("SIGKILL"), ms);
  }
  await child.status;
  return text.split("\n").slice(0, -1);
}

Deno.test("packed chunks outlive kills of their process at any point", () =>
  withFolder(async (folder) => {
    const random = seededRandom(77);
    const durable = new Set<number>();
    let next = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const [lines, ms] = [1 + Math.floor(random() * 400), Math.floor(random() * 20)];
      for (const line of await runAndKill(folder, next, lines, ms)) {
        const [word, from = 0, to = 0] = line.split(" ").map((part, i) =>
          i === 0 ? part : Number(part)
        );
        if (word === "flushed") { for (let i = Number(from); i < Number(to); i++) durable.add(i); }
        if (word === "removed") durable.delete(Number(from));
        if (word === "flushed") next = Number(to);
      }
      const store = await openFileChunkStore(folder, { packLimits: KILL_LIMITS });
      for (const i of durable) {
        const bytes = chunkOf(i);
        assert.deepEqual(await store.read(blake3(bytes)), bytes, `chunk ${i} after kill ${kill}`);
      }
      let bytes = 0;
      for await (const hash of store.list()) bytes += (await store.read(hash))?.length ?? NaN;
      assert.equal(store.room().usedBytes, bytes);
      assert.equal(store.counters.corrupt, 0);
      await store.close();
    }
    assert.ok(next > 200, `${next} chunks`);
  }));
