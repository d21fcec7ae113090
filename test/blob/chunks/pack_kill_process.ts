/**
 * Puts packed chunks into a store until it is killed: `pack_kill_process.ts FOLDER SEED`. A line of each flush says
 * which chunks are durable and which are removed from then on: `flushed FROM TO`, `removed I`.
 */
import { openFileChunkStore } from "../../../src/blob/mod.ts";
import { blake3 } from "../../../src/core/crypto/mod.ts";
import { seededBytes } from "../sources.ts";

/** Small packs, so that they fill and are given up in a second. */
export const KILL_LIMITS = { packBytesMax: 200_000, compactBytesMin: 60_000, gatherBytes: 20_000 };

/** The bytes of chunk `i`. */
export function chunkOf(i: number): Uint8Array<ArrayBuffer> {
  return seededBytes(200 + (i * 131) % 3_000, i + 1);
}

if (import.meta.main) {
  const [folder = "", start = "0"] = Deno.args;
  const store = await openFileChunkStore(folder, { packLimits: KILL_LIMITS });
  const say = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
  say("open");
  for (let i = Number(start);;) {
    const from = i;
    for (; i < from + 40; i++) {
      const bytes = chunkOf(i);
      await store.put(blake3(bytes), bytes, { isPacked: true });
    }
    await store.flush();
    say(`flushed ${from} ${i}`);
    // Most of what is old goes, so that packs die.
    for (let old = from - 200; old < from - 160; old++) {
      if (old < 0 || old % 5 === 0) continue;
      say(`removed ${old}`);
      await store.remove(blake3(chunkOf(old)));
    }
  }
}
