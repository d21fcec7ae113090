import assert from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import { createLog } from "../../src/observe/mod.ts";
import { drainAnnouncement } from "../../src/services/mod.ts";

Deno.test("V29: drainAnnouncement() says that the node drains, and that it does no more", () => {
  const said: (readonly string[] | undefined)[] = [];
  const lines: string[] = [];
  const log = createLog({ level: "info", format: "text", write: (line) => lines.push(line) });
  let isFull = false;
  const part = drainAnnouncement({
    log,
    capabilities: {
      contribute: (source, facts) => {
        assert.equal(source, "drain");
        if (isFull) throw new NetError("limit", "Cannot announce: too long");
        said.push(facts?.tags);
      },
    },
  });
  part.begin?.();
  part.resume?.();
  assert.deepEqual(said, [["net.draining@1", "dataforts:blob-storage-unhealthy"], undefined]);
  isFull = true;
  part.begin?.();
  assert.match(lines.join("\n"), /warn drain_not_announced reason="Cannot announce: too long"/);
  assert.equal(part.inFlight(), 0);
});
