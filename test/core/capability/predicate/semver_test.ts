import assert from "node:assert/strict";
import {
  compareSemver,
  isSemverCompatible,
  parseSemver,
  type Semver,
} from "../../../../src/core/capability/mod.ts";

function read(text: string): Semver {
  const version = parseSemver(text);
  assert.ok(version !== undefined, text);
  return version;
}

Deno.test("parseSemver() fills up, trims and cuts off what does not count", () => {
  const versions: Readonly<Record<string, string>> = {
    "3": "3.0.0",
    "3.10": "3.10.0",
    "3.10.4": "3.10.4",
    "1.2.3-rc.1+x": "1.2.3",
    "1.2.3+build-1": "1.2.3",
    " 1 .\u2003 2\t. 3\u0085": "1.2.3",
    "007": "7.0.0",
    "18446744073709551615.9007199254740993": "18446744073709551615.9007199254740993.0",
  };
  for (const [text, version] of Object.entries(versions)) {
    assert.equal(read(text).join("."), version, text);
  }
  const refused = ["", "v1", "1.2.3.4", "1..2", "1.", "+1", "-1", "1.x", "1,2", "\ufeff1", "١"];
  for (const text of [...refused, "18446744073709551616"]) {
    assert.equal(parseSemver(text), undefined, text);
  }
});

Deno.test("compareSemver() compares numbers, not digits", () => {
  const ascending = ["0.0.1", "0.9", "0.10", "1", "1.0.1", "2", "9007199254740993"];
  for (const [at, left] of ascending.entries()) {
    for (const [other, right] of ascending.entries()) {
      assert.equal(compareSemver(read(left), read(right)), Math.sign(at - other));
    }
  }
});

Deno.test("isSemverCompatible() follows the caret", () => {
  const isCompatible = (version: string, base: string) =>
    isSemverCompatible(read(version), read(base));
  assert.ok(isCompatible("1.9", "1.2") && isCompatible("1.2", "1.2"));
  assert.ok(!isCompatible("1.1.9", "1.2") && !isCompatible("2.0", "1.2"));
  assert.ok(isCompatible("0.2.5", "0.2.3"));
  assert.ok(!isCompatible("0.3", "0.2.3") && !isCompatible("1.2.5", "0.2.3"));
  assert.ok(isCompatible("0.0.3", "0.0.3"));
  assert.ok(!isCompatible("0.0.4", "0.0.3") && !isCompatible("0.1", "0.0.3"));
});
