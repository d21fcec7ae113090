import assert from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import { readPskFile, readTicketText } from "../../src/config/mod.ts";

const NOTHING = {
  readStdin: () => Promise.resolve(new Uint8Array()),
  readFile: () => Promise.reject(new Deno.errors.NotFound("gone")),
};

Deno.test("readTicketText() reads a word, standard input and a file", async () => {
  const bytes = new TextEncoder().encode("net1abc\n");
  const sources = {
    readStdin: () => Promise.resolve(bytes),
    readFile: (path: string) => Promise.resolve(path === "t" ? bytes : new Uint8Array()),
  };
  assert.equal(await readTicketText("net1word ", sources), "net1word");
  assert.equal(await readTicketText("-", sources), "net1abc");
  assert.equal(await readTicketText("@t", sources), "net1abc");
});

Deno.test("readTicketText() says what is wrong with its source", async () => {
  const expect = (text: RegExp) => (error: unknown) =>
    error instanceof NetError && error.code === "usage" && text.test(error.message);
  await assert.rejects(readTicketText("-", NOTHING), expect(/standard input: it is empty/));
  await assert.rejects(readTicketText("@x", NOTHING), expect(/"x": no such file/));
});

Deno.test("readPskFile() takes raw bytes and hex, and quotes neither", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeFile(path, new Uint8Array(32).fill(7));
    assert.deepEqual(await readPskFile(path), new Uint8Array(32).fill(7));
    await Deno.writeTextFile(path, `${"0a".repeat(32)}\n`);
    assert.deepEqual(await readPskFile(path), new Uint8Array(32).fill(10));
    for (const text of ["", "ab".repeat(31), "zz".repeat(32), "00".repeat(400)]) {
      await Deno.writeTextFile(path, text);
      await assert.rejects(
        readPskFile(path),
        (error) =>
          error instanceof NetError && error.code === "config_invalid" &&
          (text === "" || !error.message.includes(text.slice(0, 16))),
      );
    }
  } finally {
    await Deno.remove(path);
  }
  await assert.rejects(readPskFile(path), /no such file/);
});
