import assert from "node:assert/strict";
import fc from "fast-check";
import {
  formatJsonNumber,
  formatNumber,
  numberOfText,
  unsignedOfText,
} from "../../../../src/core/capability/predicate/number_text.ts";

Deno.test("numberOfText() reads what the reference reads, and nothing else", () => {
  const read: Readonly<Record<string, number>> = {
    "17": 17,
    "+17": 17,
    "-0": -0,
    "1e3": 1000,
    "1E+3": 1000,
    ".5": 0.5,
    "5.": 5,
    "5.e-1": 0.5,
    "inf": Infinity,
    "+Infinity": Infinity,
    "-INF": -Infinity,
    "1e999": Infinity,
    "9007199254740993": 9007199254740992,
  };
  for (const [text, number] of Object.entries(read)) assert.equal(numberOfText(text), number, text);
  const refused = ["", ".", "e1", "1e", " 1", "1 ", "1\n", "0x10", "1_000", "1,5", "--1", "nan"];
  for (const text of [...refused, "NaN", "infi", "infinit", "1f", "١٢", "１２", "0b1", "1n"]) {
    assert.ok(Number.isNaN(numberOfText(text)), text);
  }
});

Deno.test("unsignedOfText() keeps 64 bits exact and gives equal integers one type", () => {
  assert.equal(unsignedOfText("0"), 0);
  assert.equal(unsignedOfText("+007"), 7);
  assert.equal(unsignedOfText("00000000000000000000000000000000000042"), 42);
  assert.equal(unsignedOfText("9007199254740991"), 9007199254740991);
  assert.equal(unsignedOfText("9007199254740993"), 9007199254740993n);
  assert.equal(unsignedOfText("18446744073709551615"), 18446744073709551615n);
  const refused = ["", "+", "-1", "1.0", "1e3", " 1", "++1", "18446744073709551616", "١٢", "１２"];
  for (const text of refused) assert.equal(unsignedOfText(text), undefined, text);
});

Deno.test("formatNumber() prints no exponent, and no fraction when whole", () => {
  const printed: readonly (readonly [number, string])[] = [
    [64, "64"],
    [0, "0"],
    [-0, "-0"],
    [-1.5, "-1.5"],
    [0.1, "0.1"],
    [1e21, "1000000000000000000000"],
    [1.5e-7, "0.00000015"],
    [123456789.125, "123456789.125"],
    [Infinity, "inf"],
    [-Infinity, "-inf"],
    [NaN, "NaN"],
  ];
  for (const [number, text] of printed) assert.equal(formatNumber(number), text);
});

Deno.test("formatJsonNumber() marks numbers as floating-point", () => {
  const printed: readonly (readonly [number, string])[] = [
    [64, "64.0"],
    [0, "0.0"],
    [-0, "-0.0"],
    [-1.5, "-1.5"],
    [1e15, "1000000000000000.0"],
    [1e16, "1e+16"],
    [1.25e17, "1.25e+17"],
    [0.00001, "0.00001"],
    [0.000001, "1e-6"],
    [-1.5e-7, "-1.5e-7"],
    [5e-324, "5e-324"],
    [Number.MAX_VALUE, "1.7976931348623157e+308"],
  ];
  for (const [number, text] of printed) assert.equal(formatJsonNumber(number), text);
  for (const number of [NaN, Infinity, -Infinity]) {
    assert.throws(() => formatJsonNumber(number), RangeError);
  }
});

Deno.test("formatNumber() and formatJsonNumber() print what reads as the same number", () => {
  fc.assert(fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
    assert.ok(Object.is(numberOfText(formatNumber(number)), number));
    assert.ok(Object.is(JSON.parse(formatJsonNumber(number)), number));
    assert.match(formatJsonNumber(number), /[.e]/);
    assert.doesNotMatch(formatNumber(number), /e|\.$/);
  }));
});
