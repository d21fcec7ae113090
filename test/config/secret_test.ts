import assert from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import { readTicketText } from "../../src/config/mod.ts";

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
