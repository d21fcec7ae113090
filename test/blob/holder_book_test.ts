import assert from "node:assert/strict";
import { ClassGate } from "../../src/blob/_class_gate.ts";
import { HolderBook, Reputation } from "../../src/blob/_holder_book.ts";
import { ManualClock } from "../sim/manual_clock.ts";

const MIB = 1024 * 1024;

/** Delivers a chunk of 1 MiB in so many milliseconds. */
function deliver(book: HolderBook, peer: bigint, milliseconds: number): void {
  book.begin(peer, 0).delivered(MIB, milliseconds);
}

/** How many requests a peer gets before it has no room. */
function roomOf(book: HolderBook, peer: bigint): number {
  const flights = [];
  while (book.pick([peer]).kind === "ask") flights.push(book.begin(peer, 0));
  for (const flight of flights) flight.ended(false);
  return flights.length;
}

Deno.test("HolderBook widens the window of who keeps pace, and narrows that of who stalls", () => {
  const book = new HolderBook(new Reputation());
  book.noteHolder(1n);
  assert.equal(roomOf(book, 1n), 2);
  for (let i = 0; i < 5; i++) deliver(book, 1n, 10);
  assert.equal(roomOf(book, 1n), 4);
  deliver(book, 2n, 10);
  for (let i = 0; i < 5; i++) deliver(book, 2n, 50);
  assert.equal(roomOf(book, 2n), 1, "five times slower");
  book.begin(1n, 0).ended(true);
  assert.equal(roomOf(book, 1n), 1);
});

Deno.test("HolderBook leaves a holder aside that would hold up the others, while there are others", () => {
  const book = new HolderBook(new Reputation());
  deliver(book, 1n, 10);
  deliver(book, 2n, 1_000);
  const order = book.order([2n, 1n]);
  assert.deepEqual(order, [1n, 2n]);
  const flights = [];
  for (let pick = book.pick(order); pick.kind === "ask"; pick = book.pick(order)) {
    assert.equal(pick.peer, 1n);
    flights.push(book.begin(pick.peer, 0));
  }
  assert.deepEqual(book.pick(order), { kind: "wait" });
  assert.deepEqual(book.pick([2n]), { kind: "ask", peer: 2n });
  for (const flight of flights) flight.ended(false);
});

Deno.test("HolderBook asks few strangers at once, each for one chunk", () => {
  const book = new HolderBook(new Reputation());
  const strangers = [1n, 2n, 3n, 4n, 5n, 6n];
  const asked: bigint[] = [];
  for (let pick = book.pick(strangers); pick.kind === "ask"; pick = book.pick(strangers)) {
    asked.push(pick.peer);
    book.begin(pick.peer, 0);
  }
  assert.deepEqual(asked, [1n, 2n, 3n, 4n]);
});

Deno.test("HolderBook asks who lacks everything, and then liars, only when nobody else is left", () => {
  const reputation = new Reputation();
  const book = new HolderBook(reputation);
  book.noteHolder(1n);
  for (let i = 0; i < 3; i++) book.noteLacking(2n);
  book.noteLie(3n);
  assert.deepEqual(book.order([3n, 2n, 1n, 4n]), [1n, 4n, 2n, 3n]);
  assert.deepEqual(book.pick([2n, 3n]), { kind: "ask", peer: 2n });
  assert.deepEqual(book.pick([]), { kind: "nobody" });
  // Liars are remembered by the node.
  assert.deepEqual(new HolderBook(reputation).order([3n, 9n]), [9n, 3n]);
});

Deno.test("changed() wakes who waits when a request ends, and can be aborted", async () => {
  const book = new HolderBook(new Reputation());
  const flight = book.begin(1n, 0);
  const woken = book.changed();
  flight.ended(false);
  flight.ended(false);
  await woken;
  const abort = new AbortController();
  const waiting = book.changed(abort.signal);
  abort.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
  await assert.rejects(book.changed(abort.signal), /enough/);
});

Deno.test("ClassGate lets foreground and realtime pass at once, and background what is left", async () => {
  const clock = new ManualClock();
  const gate = new ClassGate(clock, {
    fraction: 1,
    peakBytesPerSecond: 100 * MIB,
    backgroundFraction: 0.25,
  });
  for (let i = 0; i < 5; i++) assert.equal(await gate.take("foreground", 50 * MIB), 0);
  assert.equal(await gate.take("realtime", 10 * MIB), 0);
  let pausedMs: number | undefined;
  void gate.take("background", 4 * MIB).then((milliseconds) => pausedMs = milliseconds);
  await clock.advance(300);
  assert.equal(pausedMs, undefined);
  await clock.advance(1_500);
  assert.ok(pausedMs !== undefined && pausedMs >= 700 && pausedMs <= 1_200, `${pausedMs}`);
  await gate.take("foreground", 100 * MIB);
  const abort = new AbortController();
  const waiting = gate.take("background", 4 * MIB, abort.signal);
  abort.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
});
