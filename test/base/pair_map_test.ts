import assert from "node:assert/strict";
import fc from "fast-check";
import { highHalf, joinHalves, lowHalf, PairMap } from "../../src/base/mod.ts";

const ids = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });

/** The plain map that {@linkcode PairMap} has to behave like. */
interface Model {
  readonly map: Map<bigint, number>;
}

class SetCommand implements fc.Command<Model, PairMap<number>> {
  constructor(readonly id: bigint, readonly value: number) {}
  check = () => true;
  run(model: Model, real: PairMap<number>): void {
    model.map.set(this.id, this.value);
    real.set(lowHalf(this.id), highHalf(this.id), this.value);
    checkSame(model, real);
  }
  toString = () => `set(${this.id})`;
}

class DeleteCommand implements fc.Command<Model, PairMap<number>> {
  constructor(readonly id: bigint) {}
  check = () => true;
  run(model: Model, real: PairMap<number>): void {
    const isDeleted = real.delete(lowHalf(this.id), highHalf(this.id));
    assert.equal(isDeleted, model.map.delete(this.id));
    checkSame(model, real);
  }
  toString = () => `delete(${this.id})`;
}

class ClearCommand implements fc.Command<Model, PairMap<number>> {
  check = () => true;
  run(model: Model, real: PairMap<number>): void {
    model.map.clear();
    real.clear();
    checkSame(model, real);
  }
  toString = () => "clear()";
}

function checkSame(model: Model, real: PairMap<number>): void {
  assert.equal(real.size, model.map.size);
  for (const [id, value] of model.map) assert.equal(real.get(lowHalf(id), highHalf(id)), value);
  const sort = (values: Iterable<number>) => [...values].sort((a, b) => a - b);
  assert.deepEqual(sort(real.values()), sort(model.map.values()));
}

Deno.test("PairMap behaves like a Map of ids, few keys and many collisions", () => {
  // Ids of few bits meet each other all the time; so do their slots.
  const few = fc.oneof(
    fc.bigInt({ min: 0n, max: 40n }),
    fc.bigInt({ min: 0n, max: 10n }).map((high) => high << 32n),
    fc.constant((1n << 64n) - 1n),
  );
  const commands = fc.commands([
    fc.tuple(few, fc.nat()).map(([id, value]) => new SetCommand(id, value)),
    few.map((id) => new DeleteCommand(id)),
    fc.constant(new ClearCommand()),
  ], { maxCommands: 120, size: "max" });
  fc.assert(fc.property(commands, (list) => {
    fc.modelRun(() => ({ model: { map: new Map() }, real: new PairMap<number>() }), list);
  }));
});

Deno.test("PairMap keeps every entry through growth and shrinking", () => {
  fc.assert(
    fc.property(fc.uniqueArray(ids, { minLength: 100, maxLength: 400 }), fc.nat(64), (list, n) => {
      const map = new PairMap<bigint>(n);
      for (const id of list) map.set(lowHalf(id), highHalf(id), id);
      assert.equal(map.size, list.length);
      for (const [i, id] of list.entries()) {
        if (i % 3 !== 0) assert.ok(map.delete(lowHalf(id), highHalf(id)));
      }
      for (const [i, id] of list.entries()) {
        assert.equal(map.get(lowHalf(id), highHalf(id)), i % 3 === 0 ? id : undefined);
      }
      for (const id of list) map.set(lowHalf(id), highHalf(id), id);
      assert.deepEqual(new Set(map.values()), new Set(list));
    }),
    { numRuns: 30 },
  );
});

Deno.test("PairMap.get() takes halves as signed numbers too", () => {
  const map = new PairMap<string>();
  map.set(-1, -2, "a");
  assert.equal(map.get(0xffffffff, 0xfffffffe), "a");
  assert.ok(map.delete(0xffffffff, -2));
  assert.equal(map.size, 0);
});

Deno.test("PairMap.values() allows deleting while iterating", () => {
  const map = new PairMap<number>();
  for (let i = 0; i < 50; i++) map.set(i, 0, i);
  const seen: number[] = [];
  for (const value of map.values()) {
    seen.push(value);
    map.delete(value, 0);
  }
  assert.equal(seen.length, 50);
  assert.equal(map.size, 0);
});

Deno.test("joinHalves() undoes lowHalf() and highHalf()", () => {
  fc.assert(fc.property(ids, (id) => {
    assert.equal(joinHalves(lowHalf(id), highHalf(id)), id);
    assert.equal(joinHalves(lowHalf(id) | 0, highHalf(id) | 0), id);
  }));
});
