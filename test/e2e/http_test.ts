/** Objects over HTTP, as a person and another node see them. */
import assert from "node:assert/strict";
import { assertFails, makeWorkspace, patternBytes, startPair } from "./harness.ts";
import { describe } from "./program.ts";

const CHUNK_BYTES = 4 * 1024 * 1024;

Deno.test("node start --http serves objects of this node and of others", async () => {
  await using workspace = await makeWorkspace();
  const { first, second } = await startPair(workspace, { flags: ["--http", "0"] });
  const place = await second.home.json(["node", "http"]);
  assert.equal(place.schema, "net.node.http.v1");
  assert.equal(place.secret, undefined);
  const url = String(place.url);
  assert.equal((await second.home.json(["node", "status"])).http, place.address);
  const secret = (await second.home.net(["node", "http", "--show-secret"])).stdout.trim();

  const bytes = patternBytes(2 * CHUNK_BYTES + 17, 5);
  const put = await fetch(`${url}/o`, {
    method: "PUT",
    body: bytes,
    headers: { authorization: `Bearer ${secret}` },
  });
  assert.equal(put.status, 200);
  const { cid } = await put.json();
  const output = `${workspace.dir}/out`;
  const got = await first.home.net(["blob", "get", cid, output]);
  assert.equal(got.code, 0, describe(got));
  assert.deepEqual(await Deno.readFile(output), bytes);

  for (const [index, size] of [1_000, 2 * CHUNK_BYTES + 17].entries()) {
    const theirs = patternBytes(size, 11 + index);
    const stored = await first.home.json(["blob", "put", "-"], { stdin: theirs });
    const answer = await fetch(`${url}/o/${stored.address}`);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("content-length"), String(size));
    assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), theirs);
    const part = await fetch(`${url}/o/${stored.address}`, { headers: { range: "bytes=-9" } });
    assert.equal(part.status, 206);
    assert.deepEqual(new Uint8Array(await part.arrayBuffer()), theirs.slice(-9));
    const head = await fetch(`${url}/o/${stored.address}`, { method: "HEAD" });
    assert.equal(head.headers.get("content-length"), String(size));
  }
  // A part of what never was here, and only that part comes.
  const far = patternBytes(3 * CHUNK_BYTES, 31);
  const { address } = await first.home.json(["blob", "put", "-"], { stdin: far });
  const range = `bytes=${CHUNK_BYTES + 1}-${CHUNK_BYTES + 1_000}`;
  const part = await fetch(`${url}/o/${address}`, { headers: { range } });
  assert.equal(part.headers.get("content-range"), `${range.replace("=", " ")}/${far.length}`);
  assert.deepEqual(
    new Uint8Array(await part.arrayBuffer()),
    far.slice(CHUNK_BYTES + 1, CHUNK_BYTES + 1_001),
  );

  const missing = await fetch(`${url}/o/b3:${"0".repeat(64)}`);
  assert.equal(missing.status, 404);
  assert.equal((await missing.json()).code, "not_found");

  const log = second.log();
  assert.ok(!log.includes(secret), "the secret is in the log");
});

Deno.test("node http says when a node serves none", async () => {
  await using workspace = await makeWorkspace();
  const { first } = await startPair(workspace);
  assertFails(await first.home.net(["node", "http"]), 4, "not_found");
});
