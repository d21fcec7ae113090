/** A program that folds a log is killed: all that it had appended is there when the log is opened again. */
import assert from "node:assert/strict";
import { startNode } from "../../src/mod.ts";
import { counted } from "./fold_counter_process.ts";

const ROUNDS = 3;
const PROGRAM = new URL("./fold_counter_process.ts", import.meta.url);
const CONFIG = new URL("../../deno.json", import.meta.url);

Deno.test("what a killed program had appended is in the fold, in order, and it goes on", async () => {
  const dataDir = await Deno.makeTempDir();
  try {
    let before = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const said = await countUntilKilled(dataDir, before + 500 + 333 * round);
      await using node = await startNode({ listen: "127.0.0.1:0", traversal: false, dataDir });
      await using fold = await node.fold(counted);
      assert.ok(fold.state.last >= said, `${fold.state.last} of ${said}`);
      assert.deepEqual([fold.state.holes, fold.setAsideTotal, fold.missedTotal], [0, 0, 0]);
      fold.append.next({ number: fold.state.last + 1 });
      before = fold.state.last;
    }
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

/** Kills the program once it has said so much; the last number that it said. */
async function countUntilKilled(dataDir: string, enough: number): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--config", CONFIG.pathname, PROGRAM.pathname, dataDir],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  let said = 0;
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    said = Number(lines.at(-1) ?? said);
    if (said >= enough) {
      try {
        child.kill("SIGKILL");
      } catch {
        // It is dead already; what it had said is still coming.
      }
    }
  }
  await child.status;
  return said;
}
