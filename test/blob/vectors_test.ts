import assert from "node:assert/strict";
import { BLOB_VECTOR_CHECKS } from "./vector_checks.ts";

const folder = Deno.env.get("NET_VECTORS") ??
  new URL("../../../shared/vectors", import.meta.url).pathname;

for (const [file, check] of Object.entries(BLOB_VECTOR_CHECKS)) {
  Deno.test(`blob agrees with ${file}`, async () => {
    let content: string;
    try {
      content = await Deno.readTextFile(`${folder}/${file}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      console.log(`skipped: ${folder}/${file} does not exist, set NET_VECTORS`);
      return;
    }
    assert.ok(await check(JSON.parse(content)) >= 0);
  });
}
