import { deepStrictEqual, equal, ok } from "node:assert/strict";
import { Turns } from "../../src/control/turns.ts";
import { TURN_CONNECTIONS_MAX, TURN_MS } from "../../src/control/limits.ts";

/** A clock on which only work takes time, and a loop that comes to rest when told to. */
function makeLoop() {
  let nowMs = 0;
  const planned: (() => void)[] = [];
  return {
    clock: {
      now: () => nowMs,
      after: (_: number, action: () => void) => {
        planned.push(action);
        return () => void planned.splice(planned.indexOf(action), 1);
      },
    },
    spend: (ms: number) => void (nowMs += ms),
    rest: () => {
      for (const action of planned.splice(0)) action();
    },
    planned,
  };
}

Deno.test("Turns runs work at once while there is time, then in order", () => {
  const loop = makeLoop();
  const turns = new Turns(loop.clock, () => false);
  const done: number[] = [];
  const work = (name: number) => () => {
    done.push(name);
    loop.spend(TURN_MS * 0.6);
  };
  for (let name = 1; name <= 5; name++) turns.enter(work(name));
  deepStrictEqual(done, [1, 2]);
  equal(turns.waitingCount, 3);
  ok(turns.isBusy);
  loop.rest();
  deepStrictEqual(done, [1, 2, 3, 4]);
  turns.enter(work(6));
  loop.rest();
  deepStrictEqual(done, [1, 2, 3, 4, 5, 6]);
  loop.rest();
  ok(!turns.isBusy);
  equal(loop.planned.length, 0);
});

Deno.test("Turns takes urgent work first, and neither kind can starve the other", () => {
  const loop = makeLoop();
  const turns = new Turns(loop.clock, () => false);
  const done: string[] = [];
  const work = (name: string) => () => {
    done.push(name);
    loop.spend(TURN_MS + 1);
  };
  turns.enter(work("first"));
  for (let i = 1; i <= 3; i++) {
    turns.enter(work(`slow ${i}`));
    turns.enter(work(`urgent ${i}`), true);
  }
  loop.rest();
  deepStrictEqual(done, ["first", "urgent 1", "slow 1"]);
  loop.rest();
  deepStrictEqual(done.slice(3), ["urgent 2", "slow 2"]);
  turns.stop();
  deepStrictEqual(done.slice(5), ["urgent 3", "slow 3"]);
  equal(loop.planned.length, 0);
});

Deno.test("Turns serves a crowd in rounds of which everybody gets the same share", () => {
  const loop = makeLoop();
  let isCrowded = true;
  const turns = new Turns(loop.clock, () => isCrowded);
  const served = new Array<number>(500).fill(0);
  const enter = (i: number) =>
    turns.enter(() => {
      served[i] = (served[i] ?? 0) + 1;
      // Busy connections are there again at once.
      if (served.some((count) => count < 10)) again.push(i);
    });
  let again: number[] = served.map((_, i) => i);
  for (let turn = 0; turn < 1000 && again.length + turns.waitingCount > 0; turn++) {
    const before = served.reduce((sum, count) => sum + count, 0);
    const coming = again;
    again = [];
    for (const i of coming) enter(i);
    loop.rest();
    const count = served.reduce((sum, value) => sum + value, 0) - before;
    ok(count <= 2 * TURN_CONNECTIONS_MAX, `${count} in one turn`);
    ok(Math.max(...served) - Math.min(...served) <= 2);
  }
  equal(Math.min(...served), 10);
  isCrowded = false;
  for (let i = 0; i < 100; i++) turns.enter(() => {});
  equal(turns.waitingCount, 0);
  turns.stop();
});
