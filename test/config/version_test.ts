import assert from "node:assert/strict";
import project from "../../deno.json" with { type: "json" };
import { PROGRAM_NAME, PROGRAM_VERSION } from "../../src/config/mod.ts";

Deno.test("PROGRAM_VERSION is the project's", () => {
  assert.equal(PROGRAM_VERSION, project.version);
  assert.equal(PROGRAM_NAME, project.name);
});
