import assert from "node:assert/strict";
import {
  ERROR_FACES,
  type ErrorCode,
  isErrorCode,
  isNoSpace,
  NetError,
  toNetError,
} from "../../src/base/mod.ts";

const codes = Object.keys(ERROR_FACES).filter(isErrorCode);

/** Exit codes of `decisions.md` 7 that an error can have. */
const EXIT_CODES: Readonly<Record<number, readonly ErrorCode[]>> = {
  1: ["failed", "internal", "conflict"],
  2: ["usage", "config_invalid", "ticket_invalid", "ticket_expired", "data_dir_unusable"],
  3: ["data_dir_locked", "address_in_use", "already_running", "network"],
  4: ["not_found"],
  5: ["not_allowed", "handshake_refused"],
  6: ["unreachable", "not_running", "not_ready", "draining"],
  7: ["timeout"],
  8: ["declined"],
  9: ["integrity"],
  12: ["limit", "no_space", "backpressure"],
};

Deno.test("ERROR_FACES keeps the exit codes of its codes", () => {
  for (const [exit, expected] of Object.entries(EXIT_CODES)) {
    for (const code of expected) assert.equal(ERROR_FACES[code].exit, Number(exit), code);
  }
  // Codes that came later still have an exit code of the table.
  for (const code of codes) assert.ok(ERROR_FACES[code].exit in EXIT_CODES, code);
});

Deno.test("ERROR_FACES has HTTP errors and JSON-RPC numbers", () => {
  for (const code of codes) {
    const { http, rpc } = ERROR_FACES[code];
    assert.match(code, /^[a-z]+(_[a-z]+)*$/);
    assert.ok(http >= 400 && http < 600, code);
    assert.ok(rpc >= -32768 && rpc <= -32000, code);
  }
});

Deno.test("isErrorCode() knows the table and not its prototype", () => {
  assert.ok(codes.length >= 24);
  for (const other of ["", "toString", "__proto__", "FAILED", 1, undefined, null, {}]) {
    assert.ok(!isErrorCode(other));
  }
});

Deno.test("NetError carries code, cause, next and data", () => {
  const cause = new Error("why");
  const error = new NetError("limit", "Cannot begin: 8 are open", {
    cause,
    next: "end one",
    data: { open: 8 },
  });
  assert.ok(error instanceof Error);
  assert.equal(error.name, "NetError");
  assert.equal(error.code, "limit");
  assert.equal(error.exitCode, 12);
  assert.equal(error.cause, cause);
  assert.equal(error.next, "end one");
  assert.deepEqual(error.data, { open: 8 });
  assert.ok(!Object.hasOwn(new NetError("failed", "x"), "cause"));
});

Deno.test("toNetError() leaves a NetError alone", () => {
  const error = new NetError("integrity", "Cannot get blob: bytes differ");
  assert.equal(toNetError(error, "Cannot do more"), error);
});

Deno.test("toNetError() tells timeouts, full disks and the rest apart", () => {
  const cases: readonly (readonly [unknown, ErrorCode, RegExp])[] = [
    [new DOMException("signal timed out", "TimeoutError"), "timeout", /^Cannot x: timed out$/],
    [new DOMException("stopped", "AbortError"), "failed", /^Cannot x: stopped$/],
    [Object.assign(new Error("write"), { code: "ENOSPC" }), "no_space", /^Cannot x: no space left/],
    [new Error("boom"), "failed", /^Cannot x: boom$/],
    ["text", "failed", /^Cannot x: text$/],
    [undefined, "failed", /^Cannot x: undefined$/],
    [null, "failed", /^Cannot x: null$/],
  ];
  for (const [thrown, code, message] of cases) {
    const error = toNetError(thrown, "Cannot x");
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.equal(error.cause, thrown);
  }
  assert.ok(toNetError(new Error("database or disk is full"), "Cannot x").next !== undefined);
});

Deno.test("isNoSpace() knows the system's and the database's words", () => {
  const full = [
    Object.assign(new Error("x"), { code: "ENOSPC" }),
    Object.assign(new Error("x"), { code: "EDQUOT" }),
    new Error("No space left on device (os error 28)"),
    new Error("Disk quota exceeded (os error 122)"),
    new Error("database or disk is full"),
    new Error("SQLITE_FULL"),
  ];
  for (const error of full) assert.ok(isNoSpace(error), error.message);
  const other = [
    new Error("No such file or directory (os error 2)"),
    new Error("os error 281"),
    new Error("os error 12"),
    Object.assign(new Error("x"), { code: "EACCES" }),
    "os error 28",
    undefined,
    { code: "ENOSPC" },
  ];
  for (const error of other) assert.ok(!isNoSpace(error));
});
