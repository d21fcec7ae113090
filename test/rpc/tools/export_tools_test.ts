import assert from "node:assert/strict";
import { compareVersions, exportTools } from "../../../src/rpc/mod.ts";
import { tool } from "./samples.ts";

Deno.test("compareVersions() orders by numbers, and texts without numbers first", () => {
  const sorted = ["10.0.0", "beta", "9.1", "alpha", "9.0.7", "9.1.0"].sort(compareVersions);
  assert.deepEqual(sorted, ["alpha", "beta", "9.0.7", "9.1", "9.1.0", "10.0.0"]);
});

Deno.test("exportTools() gives one entry per id", () => {
  const listed = ["2.0.0", "10.0.0", "9.0.0"].map((version) => ({
    descriptor: tool("a", { version }),
    omitted: version === "10.0.0" ? ["input_schema" as const] : [],
    providers: [1n],
  }));
  const exported = exportTools(listed, "gemini");
  assert.deepEqual(exported.map(({ version, isIncomplete }) => [version, isIncomplete]), [
    ["10.0.0", true],
  ]);
});
