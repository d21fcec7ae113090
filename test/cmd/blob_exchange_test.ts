import assert from "node:assert/strict";
import { runInMemory } from "./_harness.ts";

const ADDRESS = `b3:${"ab".repeat(32)}`;

Deno.test("blob export hands the node an absolute folder and the blobs, or none for all", async () => {
  const answer = {
    path: "/x/out",
    format: "redex",
    count: 1,
    chunks: 3,
    bytes: 9_000,
    present: 0,
    blobs: [{ address: ADDRESS, blob_ref: "aa", chunks: 3, bytes: 9_000 }],
  };
  const one = await runInMemory(["blob", "export", "--format", "redex", "out", ADDRESS], {
    cwd: "/x",
    node: { "blob.export": answer },
  });
  assert.equal(one.code, 0);
  assert.equal(one.stdout, `${ADDRESS}\n`);
  assert.equal(one.stderr, "exported 1 blob, 8.8 KiB\n");
  assert.deepEqual(one.calls, [{
    method: "blob.export",
    params: { path: "/x/out", targets: [ADDRESS], format: "redex" },
  }]);
  const all = await runInMemory(["blob", "export", "out", "--json"], {
    cwd: "/x",
    node: { "blob.export": answer },
  });
  assert.deepEqual(all.calls[0]?.params, { path: "/x/out" });
  assert.deepEqual(JSON.parse(all.stdout), { schema: "net.blob.export.v1", ...answer });
});

Deno.test("blob import says what it could not take, and ends with 9 then", async () => {
  const result = await runInMemory(["blob", "import", "/in"], {
    node: {
      "blob.import": {
        path: "/in",
        format: "plain",
        count: 1,
        bytes: 5,
        blobs: [{ address: ADDRESS, blob_ref: "aa", size: 5, chunks: 1 }],
        failed: [{ target: "b3:cd", code: "integrity", message: "Cannot read chunk" }],
      },
    },
  });
  assert.equal(result.code, 9);
  assert.equal(result.stdout, `${ADDRESS}\n`);
  assert.match(result.stderr, /b3:cd: Cannot read chunk/);
});

Deno.test("blob import refuses what is no target, and needs a folder", async () => {
  assert.equal((await runInMemory(["blob", "import", "/in", "zz"], { node: {} })).code, 2);
  assert.equal((await runInMemory(["blob", "import"], { node: {} })).code, 2);
});
