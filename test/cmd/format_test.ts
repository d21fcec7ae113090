import assert from "node:assert/strict";
import {
  formatBytes,
  formatDuration,
  formatFields,
  formatTable,
  textOf,
} from "../../cmd/format.ts";

Deno.test("formatBytes() uses binary units", () => {
  assert.equal(formatBytes(0), "0 B");
  assert.equal(formatBytes(1023), "1023 B");
  assert.equal(formatBytes(1024), "1.0 KiB");
  assert.equal(formatBytes(1536 * 1024 * 1024), "1.5 GiB");
  assert.equal(formatBytes(1024 * 1024 - 1), "1.0 MiB");
});

Deno.test("formatDuration() uses the two largest units", () => {
  assert.equal(formatDuration(450), "450 ms");
  assert.equal(formatDuration(12_000), "12 s");
  assert.equal(formatDuration(200_000), "3 m 20 s");
  assert.equal(formatDuration(7_500_000), "2 h 5 m");
  assert.equal(formatDuration(90_000_000), "1 d 1 h");
});

Deno.test("formatTable() aligns columns without trailing spaces", () => {
  assert.equal(formatTable([["A", "B"], ["long", "x"]]), "A     B\nlong  x");
  assert.equal(formatFields([["a", "1"], ["none", undefined], ["bb", "2"]]), "a   1\nbb  2");
});

Deno.test("textOf() keeps escape sequences of others off the terminal", () => {
  assert.equal(textOf("\x1b[2Jhi\u009b1m\n"), "[2Jhi1m");
  assert.equal(textOf({}), "");
  assert.equal(textOf(5), "5");
});
