import assert from "node:assert/strict";
import fc from "fast-check";
import { parseSubnetId, SUBNET_GLOBAL } from "../../../src/base/mod.ts";
import {
  isChannelVisible,
  isVisibility,
  VISIBILITIES,
  type Visibility,
} from "../../../src/channel/subnet/mod.ts";

const at = (text: string) => parseSubnetId(text) ?? NaN;
const peerAt = (text: string | undefined) => text === undefined ? undefined : at(text);

/** Local 1.2: what the live Rust core answers, and for unknown peers what the specification says. */
const LOCAL_1_2: readonly (readonly [string | undefined, Visibility, boolean])[] = [
  ["global", "parent-visible", true],
  ["1", "parent-visible", true],
  ["1.2", "parent-visible", true],
  ["1.3", "parent-visible", false],
  ["2", "parent-visible", false],
  ["1.2.5", "parent-visible", false],
  [undefined, "parent-visible", false],
  ["global", "subnet-local", false],
  ["1", "subnet-local", false],
  ["1.2", "subnet-local", true],
  ["1.3", "subnet-local", false],
  ["2", "subnet-local", false],
  [undefined, "subnet-local", false],
];

Deno.test("isChannelVisible() follows the table of local 1.2", () => {
  for (const [peer, visibility, expected] of LOCAL_1_2) {
    const question = { visibility, local: at("1.2"), peer: peerAt(peer) };
    assert.equal(isChannelVisible(question), expected, `${visibility} to ${peer}`);
  }
});

Deno.test("isChannelVisible() shows unknown peers what is local to the global subnet", () => {
  const ask = (visibility: Visibility, local: number) =>
    isChannelVisible({ visibility, local, peer: undefined, targets: [SUBNET_GLOBAL] });
  assert.ok(ask("subnet-local", SUBNET_GLOBAL));
  assert.ok(ask("parent-visible", SUBNET_GLOBAL));
  assert.ok(ask("global", at("1")));
  assert.ok(!ask("exported", SUBNET_GLOBAL));
});

Deno.test("isChannelVisible() exports to a target and what lies in it", () => {
  const ask = (peer: string, ...targets: string[]) =>
    isChannelVisible({
      visibility: "exported",
      local: at("1.2"),
      peer: at(peer),
      targets: targets.map(at),
    });
  assert.ok(ask("3", "3"));
  assert.ok(ask("3.1.4", "2", "3"));
  assert.ok(!ask("global", "3"));
  assert.ok(!ask("4", "3", "3.1"));
  assert.ok(!ask("1.2", "3"), "the publisher's own subnet is not a target");
  assert.ok(ask("9", "global"));
  const { visibility, local, peer } = { visibility: "exported", local: 1, peer: 1 } as const;
  assert.ok(!isChannelVisible({ visibility, local, peer }), "without a table");
});

Deno.test("isChannelVisible() shows what is local to everybody it shows it to locally, and more further out", () => {
  const id = fc.constantFrom(...["global", "1", "1.2", "1.2.3", "1.3", "2"].map(at));
  fc.assert(fc.property(id, fc.option(id, { nil: undefined }), (local, peer) => {
    const ask = (visibility: Visibility) => isChannelVisible({ visibility, local, peer });
    if (ask("subnet-local")) assert.ok(ask("parent-visible"));
    assert.ok(ask("global"));
  }));
});

Deno.test("isVisibility() knows the four words", () => {
  assert.deepEqual([...VISIBILITIES].sort(), [
    "exported",
    "global",
    "parent-visible",
    "subnet-local",
  ]);
  assert.ok(isVisibility("exported") && !isVisibility("Exported") && !isVisibility(""));
});
