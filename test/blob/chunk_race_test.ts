import assert from "node:assert/strict";
import { ChunkRace } from "../../src/blob/_chunk_race.ts";
import { HolderBook, Reputation } from "../../src/blob/_holder_book.ts";
import type { AttemptResult } from "../../src/blob/transfer_requester.ts";
import { ManualClock } from "../sim/manual_clock.ts";

Deno.test("ChunkRace gives a holder's place to the next chunk once all bytes came, and counts it once", async () => {
  const book = new HolderBook(new Reputation());
  book.noteHolder(1n);
  const verified = Promise.withResolvers<AttemptResult>();
  const race = new ChunkRace({
    clock: new ManualClock(),
    book,
    attempt: () => verified.promise,
    onHedge: () => {},
  });
  const others = [book.begin(1n, 0)];
  race.start(1n, 100);
  assert.equal(book.pick([1n]).kind, "wait");
  race.received(1n, 100);
  assert.equal(book.pick([1n]).kind, "ask");
  for (;;) {
    if (book.pick([1n]).kind === "wait") break;
    others.push(book.begin(1n, 0));
  }
  verified.resolve({ kind: "chunk", bytes: new Uint8Array(100) });
  const { peer } = await race.next(100, () => [1n], undefined);
  assert.equal(peer, 1n);
  assert.equal(book.pick([1n]).kind, "wait", "its place is not given twice");
  for (const other of others) other.ended(false);
});
