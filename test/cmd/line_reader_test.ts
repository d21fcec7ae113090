import assert from "node:assert/strict";
import fc from "fast-check";
import { LineReader } from "../../cmd/line_reader.ts";
import { utf8 } from "../../src/base/mod.ts";

function readerOf(chunks: readonly Uint8Array[]): LineReader {
  const left = [...chunks];
  return new LineReader((into) => {
    const chunk = left.shift();
    if (chunk !== undefined) into.set(chunk);
    return Promise.resolve(chunk?.length ?? null);
  });
}

const DECODER = new TextDecoder();

async function readAll(reader: LineReader, linesMax = 100, bytesMax = 1_000): Promise<string[][]> {
  const looks: string[][] = [];
  for (;;) {
    const lines = await reader.next({ linesMax, bytesMax });
    if (lines === undefined) return looks;
    looks.push(lines.map((line) => DECODER.decode(line)));
  }
}

Deno.test("LineReader hands out what came, and waits for no more", async () => {
  const looks = await readAll(readerOf([utf8("a\nb"), utf8("c\n\nd"), utf8("e")]));
  assert.deepEqual(looks, [["a"], ["bc", ""], ["de"]]);
  assert.deepEqual(await readAll(readerOf([])), []);
  assert.deepEqual(await readAll(readerOf([utf8("\n")])), [[""]]);
});

Deno.test("LineReader keeps to the bounds of a look, and hands out a long line alone", async () => {
  const text = utf8("aa\nbb\ncc\ndddddd\n");
  assert.deepEqual(await readAll(readerOf([text]), 2), [["aa", "bb"], ["cc", "dddddd"]]);
  assert.deepEqual(await readAll(readerOf([text]), 9, 5), [["aa", "bb"], ["cc"], ["dddddd"]]);
});

Deno.test("LineReader hands out what came before a line without an end, then refuses that", async () => {
  const endless = new Uint8Array(60_000).fill(0x61);
  let reads = 0;
  const reader = new LineReader((into) => {
    const chunk = reads++ === 0 ? utf8("one\ntwo\nx") : endless;
    into.set(chunk);
    return Promise.resolve(chunk.length);
  });
  const lines = await reader.next({ linesMax: 9, bytesMax: 100 });
  assert.equal(lines?.length, 2);
  await assert.rejects(
    reader.next({ linesMax: 9, bytesMax: 100 }),
    /Cannot read line 3: it has more than 1048576 bytes/,
  );
  assert.ok(reads < 25, "and reads no further");
});

Deno.test("LineReader gives up when its signal aborts while a read is waiting", async () => {
  const controller = new AbortController();
  const reader = new LineReader(() => new Promise(() => {}));
  const waiting = reader.next({ linesMax: 9, bytesMax: 100, signal: controller.signal });
  controller.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
});

Deno.test("LineReader finds the lines of a text however it is cut", async () => {
  const chunks = fc.array(fc.string({ maxLength: 12 }).map((text) => text.replaceAll("x", "\n")));
  await fc.assert(fc.asyncProperty(chunks, async (texts) => {
    const whole = texts.join("");
    const expected = whole.split("\n");
    if (expected.at(-1) === "") expected.pop();
    const looks = await readAll(readerOf(texts.filter((text) => text !== "").map(utf8)));
    assert.deepEqual(looks.flat(), expected);
  }));
});
