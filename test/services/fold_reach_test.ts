import assert from "node:assert/strict";
import { parseSubnetId } from "../../src/base/mod.ts";
import type { Visibility } from "../../src/channel/mod.ts";
import { FOLD_KINDS } from "../../src/core/capability/mod.ts";
import { deriveChannelHash, isValidChannelName } from "../../src/core/crypto/mod.ts";
import { createFoldReach, foldChannelName } from "../../src/services/mod.ts";
import { ManualClock } from "../sim/manual_clock.ts";

const PUBLISHER = 1n;
const SUBNETS = new Map([[PUBLISHER, "1.2"], [2n, "1.2"], [3n, "1"], [4n, "1.3"], [5n, "2"]]);

function start(visibility: Visibility | undefined, exports: readonly string[] = []) {
  const clock = new ManualClock();
  let known = visibility;
  const hash = deriveChannelHash("fold/island");
  const reach = createFoldReach({
    clock,
    locate: (node) => parseSubnetId(SUBNETS.get(node) ?? ""),
    visibilityOf: (asked) => asked === hash ? known : undefined,
    targetsOf: () => exports.map((text) => parseSubnetId(text) ?? 0),
  });
  const reached = (publisher = PUBLISHER, kind: 3 | 4 = 4) =>
    [2n, 3n, 4n, 5n, 6n].filter((node) => reach.mayReach(kind, publisher, node));
  return { clock, reach, reached, change: (to: Visibility) => void (known = to) };
}

Deno.test("foldChannelName() gives names that channels can have", () => {
  assert.deepEqual(FOLD_KINDS.map(foldChannelName), [
    "fold/cap",
    "fold/route",
    "fold/res",
    "fold/island",
  ]);
  assert.ok(FOLD_KINDS.every((kind) => isValidChannelName(foldChannelName(kind))));
});

Deno.test("createFoldReach() goes as far as the channel is visible from the publisher", () => {
  assert.deepEqual(start(undefined).reached(), [2n, 3n, 4n, 5n, 6n]);
  assert.deepEqual(start("global").reached(), [2n, 3n, 4n, 5n, 6n]);
  assert.deepEqual(start("subnet-local").reached(), [2n]);
  assert.deepEqual(start("parent-visible").reached(), [2n, 3n]);
  assert.deepEqual(start("exported", ["2"]).reached(), [5n]);
  assert.deepEqual(start("subnet-local").reached(PUBLISHER, 3), [2n, 3n, 4n, 5n, 6n]);
  // Nobody knows in which subnet node 6 is.
  assert.deepEqual(start("parent-visible").reached(6n), [6n]);
});

Deno.test("createFoldReach() follows the channel, a moment later", async () => {
  const { clock, reached, change } = start("subnet-local");
  assert.deepEqual(reached(), [2n]);
  change("parent-visible");
  assert.deepEqual(reached(), [2n]);
  await clock.advance(1_000);
  assert.deepEqual(reached(), [2n, 3n]);
});
