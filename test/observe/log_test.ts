import assert from "node:assert/strict";
import fc from "fast-check";
import { createLog, type CreateLogOptions, LOG_LEVELS, silentLog } from "../../src/observe/mod.ts";

function collect(options: Partial<CreateLogOptions> = {}) {
  const lines: string[] = [];
  const log = createLog({
    level: "debug",
    format: "text",
    write: (line) => lines.push(line),
    wallMs: () => 0,
    ...options,
  });
  return { lines, log };
}

Deno.test("createLog() drops records below its level", () => {
  for (const [threshold, level] of LOG_LEVELS.entries()) {
    const { lines, log } = collect({ level });
    log.debug("a");
    log.info("b");
    log.warn("c");
    log.error("d");
    assert.equal(lines.length, 4 - threshold, level);
  }
});

Deno.test("createLog() writes text with bound and own fields", () => {
  const { lines, log } = collect();
  const child = log.child({ peer: "ab", port: 1 }).child({ port: 2 });
  child.warn("lost", { id: 5n, isLate: true, nothing: null, absent: undefined, port: 3 });
  child.info("plain");
  assert.deepEqual(lines, [
    "1970-01-01T00:00:00.000Z warn lost peer=ab port=3 id=5 isLate=true nothing=null",
    "1970-01-01T00:00:00.000Z info plain peer=ab port=2",
  ]);
});

Deno.test("createLog() quotes text that would read as something else", () => {
  const { lines, log } = collect();
  log.info("e", { a: "", b: "x y", c: 'q"', d: "k=v", f: "line\nbreak", g: "plain-ü/:" });
  assert.equal(
    lines[0]?.slice(30),
    'e a="" b="x y" c="q\\"" d="k=v" f="line\\nbreak" g=plain-ü/:',
  );
});

Deno.test("createLog() writes one line free of control characters, whatever a field holds", () => {
  const text = collect();
  const json = collect({ format: "json" });
  fc.assert(fc.property(fc.string({ unit: "binary" }), (value) => {
    for (const { lines, log } of [text, json]) {
      log.info("e", { value });
      const line = lines.pop() ?? assert.fail();
      // deno-lint-ignore no-control-regex -- these are what must not be there
      assert.doesNotMatch(line, /[\u0000-\u001f]/);
    }
  }));
});

Deno.test("createLog() keeps terminal escapes out of text", () => {
  const { lines, log } = collect();
  log.info("e", { value: "\u001b[2J\u009b2J\u007f" });
  assert.equal(lines[0]?.slice(30), 'e value="\\u001b[2J\\u009b2J\\u007f"');
});

Deno.test("createLog() writes JSON that reads back", () => {
  const { lines, log } = collect({ format: "json", wallMs: () => 1_500 });
  log.child({ peer: "ab" }).error("e", { id: 5n, count: 2, absent: undefined });
  assert.deepEqual(JSON.parse(lines[0] ?? ""), {
    time: "1970-01-01T00:00:01.500Z",
    level: "error",
    event: "e",
    peer: "ab",
    id: "5",
    count: 2,
  });
});

Deno.test("silentLog drops everything", () => {
  silentLog.child({ a: 1 }).error("e");
});
