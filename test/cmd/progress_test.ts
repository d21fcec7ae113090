import assert from "node:assert/strict";
import { createProgress, progressText } from "../../cmd/progress.ts";

function display(isStderrTerminal: boolean, isQuiet = false) {
  let text = "";
  let nowMs = 0;
  const progress = createProgress({
    isStderrTerminal,
    writeErr: (piece) => void (text += piece),
    now: () => nowMs,
  }, { label: "put x", isQuiet });
  return {
    progress,
    at: (ms: number) => void (nowMs = ms),
    read: () => text,
  };
}

Deno.test("createProgress() repaints one line on a terminal and removes it", () => {
  const { progress, at, read } = display(true);
  progress.update(0, 100);
  at(10);
  progress.update(10, 100);
  at(150);
  progress.update(50, 100);
  progress.end();
  progress.end();
  const paints = read().split("\r\x1b[2K").slice(1);
  assert.equal(paints.length, 3);
  assert.match(paints[0] ?? "", /put x {2}\[\.+\] {3}0%/);
  assert.match(paints[1] ?? "", /50% {2}50 B of 100 B/);
  assert.equal(paints[2], "");
});

Deno.test("createProgress() writes a plain line every few seconds elsewhere", () => {
  const { progress, at, read } = display(false);
  for (let ms = 0; ms <= 11_000; ms += 100) {
    at(ms);
    progress.update(ms * 1000, undefined);
  }
  progress.end();
  assert.equal(read().split("\n").length - 1, 2);
  assert.ok(!read().includes("\x1b"));
});

Deno.test("createProgress() is silent for short work off a terminal and with quiet", () => {
  const short = display(false);
  short.progress.update(1, 1);
  short.at(4000);
  short.progress.update(1, 1);
  short.progress.end();
  assert.equal(short.read(), "");
  const quiet = display(true, true);
  quiet.progress.update(1, 2);
  quiet.progress.end();
  assert.equal(quiet.read(), "");
});

Deno.test("progressText() shows rate and time left", () => {
  assert.equal(
    progressText("get a", 1024, 4096, 1024),
    "get a  [######..................]  25%  1.0 KiB of 4.0 KiB  1.0 KiB/s  3 s left",
  );
  assert.equal(progressText("get a", 1024, undefined, 0), "get a  1.0 KiB  0 B/s");
  assert.match(progressText("a", 9, 4, 1), /100%/);
});
