import assert from "node:assert/strict";
import fc from "fast-check";
import { NumberOrder } from "../../../../src/core/capability/index/number_order.ts";
import { numberOfText } from "../../../../src/core/capability/predicate/number_text.ts";

interface Item {
  readonly text: string;
  readonly value: string | undefined;
}

/** Both separators, the same number written in several ways, and what is no number at all. */
const anyItem = fc.tuple(
  fc.constantFrom("=", ":"),
  fc.oneof(
    fc.integer({ min: -4, max: 4 }).map(String),
    fc.integer({ min: 0, max: 9 }).map((number) => `0${number}.0`),
    fc.constantFrom("inf", "-inf", "nan", "-0", "x", undefined),
  ),
).map(([sign, value]): Item => ({ text: `hardware.x${sign}${value}`, value }));

const anySteps = fc.array(fc.tuple(fc.boolean(), anyItem), { maxLength: 200, size: "max" });

Deno.test("NumberOrder finds what going through all items finds, whatever came and went", () => {
  fc.assert(fc.property(
    fc.uniqueArray(anyItem, { selector: ({ text }) => text }),
    anySteps,
    fc.tuple(fc.integer({ min: -5, max: 9 }), fc.integer({ min: -5, max: 9 })),
    (first, steps, [min, max]) => {
      const order = new NumberOrder(first);
      const items = new Map(first.map((item) => [item.text, item]));
      for (const [isAdded, { text, value }] of steps) {
        const known = items.get(text);
        const item = known ?? { text, value };
        if (isAdded === (known !== undefined)) continue;
        if (isAdded) items.set(text, item);
        else items.delete(text);
        if (isAdded) order.add(item);
        else order.delete(item);
      }
      assert.deepEqual(textsOf(order.between(min, max)), inRange([...items.values()], min, max));
    },
  ));
});

Deno.test("NumberOrder stays right when there are many items, of the same number too", () => {
  const items = Array.from({ length: 5_000 }, (_, i): Item => {
    const value = i % 2 === 0 ? `${(i * 7_919) % 5_003}` : `${"0".repeat(i % 97)}7`;
    return { text: `${i}`, value };
  });
  const order = new NumberOrder(items.slice(0, 1_500));
  for (const item of items.slice(1_500)) order.add(item);
  assert.deepEqual(textsOf(order.between(7, 900)), inRange(items, 7, 900));
  for (const item of items.slice(0, 4_000)) order.delete(item);
  assert.deepEqual(textsOf(order.between(-Infinity, 7)), inRange(items.slice(4_000), -Infinity, 7));
  for (const item of items.slice(4_000)) order.delete(item);
  assert.deepEqual(order.between(-Infinity, Infinity), []);
});

Deno.test("NumberOrder.between() is empty when an end is NaN or both are the wrong way round", () => {
  const order = new NumberOrder<Item>([{ text: "a", value: "1" }]);
  assert.deepEqual(order.between(NaN, 2), []);
  assert.deepEqual(order.between(0, NaN), []);
  assert.deepEqual(order.between(2, 0), []);
  assert.deepEqual(textsOf(order.between(1, 1)), ["a"]);
});

function textsOf(items: readonly Item[]): string[] {
  return items.map(({ text }) => text).sort();
}

function inRange(items: readonly Item[], min: number, max: number): string[] {
  const numbers = items.map((item) => [item, numberOfText(item.value ?? "")] as const);
  return textsOf(
    numbers.filter(([{ value }, number]) => value !== undefined && number >= min && number <= max)
      .map(([item]) => item),
  );
}
