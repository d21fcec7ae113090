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
