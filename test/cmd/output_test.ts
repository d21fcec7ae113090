import assert from "node:assert/strict";
import { redactSecrets, renderError, toDocument } from "../../cmd/output.ts";
import { NetError } from "../../src/base/mod.ts";

const PLAIN = { isJson: false, isColor: false };

Deno.test("renderError() prints message, code, usage and next on lines of their own", () => {
  const error = new NetError("limit", "Cannot store blob: quota is full", {
    next: "remove a blob",
    data: { usage: "net blob put FILE" },
  });
  assert.equal(
    renderError(error, PLAIN),
    "net: Cannot store blob: quota is full\ncode: limit\nusage: net blob put FILE\n" +
      "next: remove a blob\n",
  );
  assert.equal(
    renderError(new NetError("failed", "Cannot x"), PLAIN),
    "net: Cannot x\ncode: failed\nnext: run net doctor to check this machine\n",
  );
  const coloured = renderError(error, { isJson: false, isColor: true });
  assert.ok(coloured.startsWith("\x1b[1;31mnet:\x1b[0m "));
});

Deno.test("renderError() prints one JSON line without colours", () => {
  const error = new NetError("timeout", "late\nvery", { next: "wait" });
  const line = renderError(error, { isJson: true, isColor: true });
  assert.equal(line.trimEnd().split("\n").length, 1);
  assert.deepEqual(JSON.parse(line), {
    schema: "net.error.v1",
    error: { code: "timeout", message: "late\nvery", next: "wait", exit: 7 },
  });
});

Deno.test("redactSecrets() cuts tickets and leaves words alone", () => {
  assert.equal(redactSecrets(`a NET1${"Q".repeat(20)} b`), "a NET1… b");
  assert.equal(redactSecrets("net1 net10 network1"), "net1 net10 network1");
});

Deno.test("toDocument() has no characters that could steer a terminal", () => {
  const text = "a\u009b2J\u007f\u001b[2J\u0085";
  const document = toDocument("x.y", { text });
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  assert.doesNotMatch(document, /[\u0000-\u001f\u007f-\u009f]/);
  assert.equal(JSON.parse(document).text, text);
});

Deno.test("toDocument() puts the schema first and writes bigint as text", () => {
  assert.equal(toDocument("x.y", { id: 5n }), '{"schema":"net.x.y.v1","id":"5"}');
});
