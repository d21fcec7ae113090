/** What a build says about where it came from. */
import assert from "node:assert/strict";
import { PROGRAM_BUILD, readBuild } from "../../src/config/mod.ts";

Deno.test("readBuild() knows source, bundle and a bundle made without a repository", () => {
  assert.deepEqual(PROGRAM_BUILD, { buildHash: "source", compiledAt: "unknown" });
  const [commit, time] = ["0a".repeat(20), "2026-01-02T03:04:05Z"];
  assert.deepEqual(readBuild(`${commit} ${time}`), { buildHash: commit, compiledAt: time });
  assert.deepEqual(readBuild(`unknown ${time}`), { buildHash: "unknown", compiledAt: time });
});
