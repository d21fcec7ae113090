import assert from "node:assert/strict";
import { runInMemory } from "./_harness.ts";

const SOUND = {
  started_at: "2026-01-01T00:00:00.000Z",
  ended_at: "2026-01-01T00:00:01.000Z",
  chunks: 5,
  bytes: 5_000,
  corrupt: 0,
  missing: 0,
  unreadable: 0,
  repaired: 0,
  converted: 0,
  strangers: 0,
  renamed: 0,
  lost: 0,
  resumed: false,
  findings: [],
};

Deno.test("blob scrub says that all is sound, in words and as a document", async () => {
  const result = await runInMemory(["blob", "scrub", "--repair", "--rate", "20M"], {
    node: { "blob.scrub": SOUND },
  });
  assert.equal(result.code, 0);
  assert.equal(result.stdout, "read 5 chunks, 4.9 KiB: all sound\n");
  assert.deepEqual(result.calls, [{
    method: "blob.scrub",
    params: { repair: true, convert: false, fresh: false, bytes_per_second: 20 * 1024 * 1024 },
  }]);
  const json = await runInMemory(["blob", "scrub", "--json"], { node: { "blob.scrub": SOUND } });
  assert.deepEqual(JSON.parse(json.stdout), { schema: "net.blob.scrub.v1", ...SOUND });
});

Deno.test("blob scrub ends with 9 and says what to do when something is lost", async () => {
  const name = "ab".repeat(32);
  const result = await runInMemory(["blob", "scrub"], {
    node: {
      "blob.scrub": {
        ...SOUND,
        corrupt: 2,
        repaired: 1,
        lost: 1,
        findings: [
          { kind: "corrupt", name, repaired: false },
          { kind: "corrupt", name: "cd".repeat(32), repaired: true },
        ],
      },
    },
  });
  assert.equal(result.code, 9);
  assert.match(result.stdout, new RegExp(`corrupt +- +${name}`));
  assert.match(result.stdout, /2 corrupt, 1 repaired/);
  assert.match(result.stderr, /net blob scrub --repair/);
});

Deno.test("blob scrub --status asks only how far it is", async () => {
  const none = await runInMemory(["blob", "scrub", "--status"], {
    node: { "blob.scrub_status": { running: false, scrub: null } },
  });
  assert.equal(none.stdout, "there was no scrub yet\n");
  const some = await runInMemory(["blob", "scrub", "--status"], {
    node: { "blob.scrub_status": { running: false, scrub: { ...SOUND, ended_at: null } } },
  });
  assert.match(some.stdout, /broken off: read 5 chunks/);
});

Deno.test("blob scrub refuses a rate that is none", async () => {
  const result = await runInMemory(["blob", "scrub", "--rate", "fast"], { node: {} });
  assert.equal(result.code, 2);
  assert.match(result.stderr, /--rate 20M/);
});
