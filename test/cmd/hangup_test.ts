import assert from "node:assert/strict";
import { hangupAction } from "../../cmd/hangup.ts";

const STATUS = (ignored: string) => `Name:\tdeno\nSigBlk:\t0000000000000000\nSigIgn:\t${ignored}\n`;
const STAT = (terminal: number) => `42 (a) b (c) S 1 42 42 ${terminal} 42 4194304 1 2`;

Deno.test("hangupAction() ends a node with its terminal", () => {
  assert.equal(hangupAction(STATUS("0000000000001000"), STAT(34816)), "stop");
});

Deno.test("hangupAction() opens the log again where there is no terminal", () => {
  assert.equal(hangupAction(STATUS("0000000000001000"), STAT(0)), "reopen");
  assert.equal(hangupAction("", ""), "reopen");
});

Deno.test("hangupAction() keeps the signal ignored under nohup", () => {
  assert.equal(hangupAction(STATUS("0000000000001001"), STAT(34816)), "ignore");
  assert.equal(hangupAction(STATUS("0000000000001007"), STAT(0)), "ignore");
});

Deno.test("reopen() does not wait where a pipe has come in the log's place", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  const folder = await Deno.makeTempDir();
  const module = new URL("../../cmd/hangup.ts", import.meta.url).href;
  const script = `import { systemHangup } from "${module}";
    const hangup = systemHangup();
    Deno.removeSync("${folder}/log");
    await new Deno.Command("mkfifo", { args: ["${folder}/log"] }).output();
    try { hangup.reopen(); } catch { Deno.writeTextFileSync("${folder}/told", ""); }`;
  await Deno.writeTextFile(`${folder}/script.ts`, script);
  const command = `exec timeout 30 "$0" run -A --no-check "$1/script.ts" > "$1/log" 2>&1`;
  const { code } = await new Deno.Command("sh", {
    args: ["-c", command, Deno.execPath(), folder],
  }).output();
  assert.equal(code, 0);
  assert.ok((await Deno.lstat(`${folder}/told`)).isFile);
  await Deno.remove(folder, { recursive: true });
});
