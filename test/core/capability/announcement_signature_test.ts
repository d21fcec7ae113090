import assert from "node:assert/strict";
import { nextAnnouncementVersion } from "../../../src/core/capability/mod.ts";
import { WALL_MS } from "./samples.ts";

Deno.test("nextAnnouncementVersion() follows the clock and always grows", () => {
  assert.equal(nextAnnouncementVersion(0n, WALL_MS + 0.7), BigInt(WALL_MS));
  assert.equal(nextAnnouncementVersion(BigInt(WALL_MS), WALL_MS), BigInt(WALL_MS) + 1n);
  assert.equal(nextAnnouncementVersion(BigInt(WALL_MS), 5), BigInt(WALL_MS) + 1n);
  assert.equal(nextAnnouncementVersion(0n, -5), 1n);
});
