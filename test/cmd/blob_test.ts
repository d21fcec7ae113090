import assert from "node:assert/strict";
import { defaultName, parseTarget } from "../../cmd/blob_common.ts";
import { type Answers, runInMemory } from "./_harness.ts";

const HASH = "0123456789abcdef".repeat(4);
const ADDRESS = `b3:${HASH}`;
const STORED = { address: ADDRESS, blob_ref: "aa".repeat(20), size: 5, chunks: 1, seconds: 0.5 };

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("blob put hands the node an absolute path and prints the address", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/a.txt`, "hello");
    const result = await runInMemory(["blob", "put", "a.txt"], {
      cwd: folder,
      node: { "blob.put": STORED },
    });
    assert.equal(result.code, 0);
    assert.equal(result.stdout, `${ADDRESS}\n`);
    assert.equal(result.stderr, "stored 5 B in 500 ms, 10 B/s\n");
    assert.deepEqual(result.calls, [{ method: "blob.put", params: { path: `${folder}/a.txt` } }]);
    const json = await runInMemory(["blob", "put", "a.txt", "--json"], {
      cwd: folder,
      node: { "blob.put": STORED },
    });
    assert.deepEqual(JSON.parse(json.stdout), { schema: "net.blob.put.v1", ...STORED });
    assert.equal(json.stderr, "");
  });
});

Deno.test("blob put refuses what is absent before it asks a node", async () => {
  await withFolder(async (folder) => {
    const absent = await runInMemory(["blob", "put", `${folder}/none`], { node: {} });
    assert.equal(absent.code, 4);
    assert.match(absent.stderr, /no such file/);
    assert.equal(absent.calls.length, 0);
  });
});

Deno.test("blob put streams standard input in pieces below the line limit", async () => {
  const stdin = "x".repeat(1_300_000);
  const lengths: number[] = [];
  const result = await runInMemory(["blob", "put", "-"], {
    stdin,
    node: {
      "blob.upload_begin": { upload: "u1" },
      "blob.upload_append": (params) => {
        assert.equal(params.upload, "u1");
        lengths.push(Uint8Array.fromBase64(String(params.data)).length);
        return {};
      },
      "blob.upload_finish": STORED,
    },
  });
  assert.equal(result.code, 0);
  assert.deepEqual(lengths, [524_288, 524_288, 251_424]);
  assert.equal(result.stdout, `${ADDRESS}\n`);
});

Deno.test("blob put of empty input is one upload without pieces", async () => {
  const { calls, code } = await runInMemory(["blob", "put", "-"], {
    node: { "blob.upload_begin": { upload: "u" }, "blob.upload_finish": STORED },
  });
  assert.equal(code, 0);
  assert.deepEqual(calls.map((call) => call.method), ["blob.upload_begin", "blob.upload_finish"]);
});

Deno.test("blob put takes an upload back when it fails", async () => {
  const { calls, code } = await runInMemory(["blob", "put", "-"], {
    stdin: "x",
    node: { "blob.upload_begin": { upload: "u" } },
  });
  assert.equal(code, 4);
  assert.deepEqual(calls.at(-1), { method: "blob.upload_abort", params: { upload: "u" } });
});

Deno.test("blob get writes under the first digits when no name is given", async () => {
  await withFolder(async (folder) => {
    const result = await runInMemory(["blob", "get", ADDRESS.toUpperCase().replace("B3", "b3")], {
      cwd: folder,
      node: { "blob.get": { address: ADDRESS, size: 5, seconds: 1, from: ["00ab"] } },
    });
    const output = `${folder}/0123456789ab`;
    assert.deepEqual(result.calls[0]?.params, { target: ADDRESS, output, overwrite: false });
    assert.equal(result.stdout, `${output}\n`);
    assert.equal(result.stderr, "fetched 5 B in 1 s, 5 B/s from 00ab\n");
  });
});

Deno.test("blob get keeps a file that exists unless forced", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/out`, "old");
    const node: Answers = { "blob.get": { size: 5, seconds: 0, from: [] } };
    const kept = await runInMemory(["blob", "get", ADDRESS, "out"], { cwd: folder, node });
    assert.equal(kept.code, 1);
    assert.match(kept.stderr, /code: conflict/);
    assert.match(kept.stderr, /--force/);
    assert.equal(kept.calls.length, 0);
    const args = ["blob", "get", ADDRESS, "out", "--force"];
    const forced = await runInMemory(args, { cwd: folder, node });
    assert.equal(forced.code, 0);
    assert.equal(forced.calls[0]?.params.overwrite, true);
    const into = await runInMemory(["blob", "get", ADDRESS, "."], { cwd: folder, node });
    assert.equal(into.calls[0]?.params.output, `${folder}/0123456789ab`);
  });
});

Deno.test("blob get - goes through a private folder that is gone afterwards", async () => {
  let output = "";
  const node: Answers = {
    "blob.get": async (params) => {
      output = String(params.output);
      const folder = output.slice(0, output.lastIndexOf("/"));
      assert.equal(((await Deno.stat(folder)).mode ?? 0) & 0o777, 0o700);
      await Deno.writeTextFile(output, "hello");
      return { size: 5, seconds: 0, from: [] };
    },
  };
  const { code, stdout, stderr } = await runInMemory(["blob", "get", ADDRESS, "-"], { node });
  assert.equal(code, 0);
  assert.equal(stdout, "hello");
  assert.equal(stderr, "");
  await assert.rejects(Deno.stat(output), Deno.errors.NotFound);
  const json = await runInMemory(["blob", "get", ADDRESS, "-", "--json"], { node });
  assert.equal(json.code, 2);
});

Deno.test("blob get shows progress on a terminal only", async () => {
  await withFolder(async (folder) => {
    const node: Answers = {
      "blob.get": (_params, report) => {
        report({ done_bytes: 2, total_bytes: 4 });
        return { size: 4, seconds: 0, from: [] };
      },
    };
    const options = { cwd: folder, node };
    const args = ["blob", "get", ADDRESS];
    const shown = await runInMemory(args, { ...options, isTerminal: true });
    assert.match(shown.stderr, /get 0123456789ab {2}\[#+\.+\] {2}50%/);
    assert.ok(!shown.stdout.includes("%"));
    const quiet = await runInMemory([...args, "--quiet"], { ...options, isTerminal: true });
    assert.equal(quiet.stderr, "");
    assert.ok(!(await runInMemory(args, options)).stderr.includes("%"));
  });
});

Deno.test("parseTarget() takes addresses and references only", () => {
  assert.equal(parseTarget(ADDRESS), ADDRESS);
  assert.equal(parseTarget("AB".repeat(8)), "ab".repeat(8));
  for (const text of ["", "b3:", `b3:${HASH}0`, HASH.slice(1), "ab", "../etc", `${ADDRESS}\n`]) {
    assert.throws(() => parseTarget(text), /must be b3:/, text);
  }
});

Deno.test("defaultName() is the same for an address and its reference", () => {
  const locator = new TextEncoder().encode(`mesh://${HASH}`).toHex();
  assert.equal(defaultName(ADDRESS), "0123456789ab");
  assert.equal(defaultName(`b0b1b2b301${HASH}0505${locator}`), "0123456789ab");
  assert.equal(defaultName("ff".repeat(20)), "ffffffffffff");
});
