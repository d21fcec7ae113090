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
    const warnings = ["its parity 10+4 is gone"];
    const warned = await runInMemory(["blob", "put", "a.txt"], {
      cwd: folder,
      node: { "blob.put": { ...STORED, warnings } },
    });
    assert.equal(warned.stdout, `${ADDRESS}\n`);
    assert.match(warned.stderr, /its parity 10\+4 is gone/);
  });
});

Deno.test("blob put passes the form on that flags ask for, and has none for folders", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/a.txt`, "hello");
    const result = await runInMemory(["blob", "put", "a.txt", "--cdc", "--ec", "10+4"], {
      cwd: folder,
      node: { "blob.put": STORED },
    });
    assert.equal(result.code, 0);
    const params = { path: `${folder}/a.txt`, cdc: true, ec: "10+4" };
    assert.deepEqual(result.calls, [{ method: "blob.put", params }]);
    const named = await runInMemory(["blob", "put", "a.txt", "--label", "a b"], {
      cwd: folder,
      node: { "blob.put": STORED },
    });
    assert.deepEqual(named.calls[0]?.params, { path: `${folder}/a.txt`, label: "a b" });
    const long = ["blob", "put", "a.txt", "--label", "x".repeat(256)];
    assert.equal((await runInMemory(long, { cwd: folder, node: {} })).code, 2);
    const refused = await runInMemory(["blob", "put", folder, "--ec", "10+4"], { node: {} });
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /Cannot put a folder with --ec/);
    assert.equal(refused.calls.length, 0);
  });
});

Deno.test("blob repair adds up what it did to each blob, and exits with 9 when some are not whole", async () => {
  const other = `b3:${"f".repeat(64)}`;
  const report = { stripes_walked: 3, chunks_restored: 1, chunks_missing: 0 };
  const answers = {
    "blob.list": (params: Readonly<Record<string, unknown>>) =>
      params.cursor === undefined
        ? { blobs: [{ address: ADDRESS }], next: "1:2" }
        : { blobs: [{ address: other }], next: null },
    "blob.repair": (params: Readonly<Record<string, unknown>>) => ({
      ...report,
      chunks_missing: params.target === other ? 2 : 0,
    }),
  };
  const result = await runInMemory(["blob", "repair", "--all", "--json"], { node: answers });
  assert.equal(result.code, 9);
  const told = JSON.parse(result.stdout);
  assert.equal(told.blobs, 2);
  assert.equal(told.stripes_walked, 6);
  assert.equal(told.chunks_restored, 2);
  assert.equal(told.stripes_unrecoverable, 0);
  assert.deepEqual(told.failures, [{ target: other, reason: "chunks are missing" }]);
  const one = await runInMemory(["blob", "repair", ADDRESS], { node: answers });
  assert.equal(one.code, 0);
  assert.match(one.stdout, /chunks restored +1/);
  for (const words of [[], [ADDRESS, "--all"]]) {
    assert.equal((await runInMemory(["blob", "repair", ...words], { node: {} })).code, 2);
  }
});

Deno.test("blob put refuses what is absent before it asks a node", async () => {
  await withFolder(async (folder) => {
    const absent = await runInMemory(["blob", "put", `${folder}/none`], { node: {} });
    assert.equal(absent.code, 4);
    assert.match(absent.stderr, /no such file/);
    assert.equal(absent.calls.length, 0);
  });
});

const STAGING = "0123456789abcdef0123456789abcdef";

Deno.test("blob put streams standard input in pieces below the line limit", async () => {
  const stdin = "x".repeat(1_300_000);
  const pieces: [number, unknown][] = [];
  const result = await runInMemory(["blob", "put", "-"], {
    stdin,
    node: {
      "blob.staging_begin": { staging: STAGING, offset: 0 },
      "blob.staging_append": (params) => {
        assert.equal(params.staging, STAGING);
        pieces.push([Uint8Array.fromBase64(String(params.data)).length, params.offset]);
        return {};
      },
      "blob.staging_finalize": STORED,
    },
  });
  assert.equal(result.code, 0);
  assert.deepEqual(pieces, [[524_288, 0], [524_288, 524_288], [251_424, 1_048_576]]);
  assert.equal(result.stdout, `${ADDRESS}\n`);
});

Deno.test("blob put of empty input is one upload without pieces", async () => {
  const { calls, code } = await runInMemory(["blob", "put", "-"], {
    node: {
      "blob.staging_begin": { staging: STAGING, offset: 0 },
      "blob.staging_finalize": STORED,
    },
  });
  assert.equal(code, 0);
  const methods = ["blob.staging_begin", "blob.staging_finalize"];
  assert.deepEqual(calls.map((call) => call.method), methods);
});

Deno.test("blob put takes an upload back when it fails", async () => {
  const { calls, code } = await runInMemory(["blob", "put", "-"], {
    stdin: "x",
    node: { "blob.staging_begin": { staging: STAGING, offset: 0 } },
  });
  assert.equal(code, 4);
  assert.deepEqual(calls.at(-1), { method: "blob.staging_abort", params: { staging: STAGING } });
});

Deno.test("blob put - --resume skips what the node has, and keeps the upload when it fails", async () => {
  const offsets: unknown[] = [];
  const node: Answers = {
    "blob.staging_resume": { staging: STAGING, offset: 600_000 },
    "blob.staging_append": (params) => {
      offsets.push(params.offset);
      return {};
    },
    "blob.staging_finalize": STORED,
  };
  const args = ["blob", "put", "-", "--resume", STAGING];
  const result = await runInMemory(args, { stdin: "x".repeat(700_000), node });
  assert.equal(result.code, 0);
  assert.deepEqual(offsets, [600_000]);
  assert.match(result.stderr, /resumed: 600 kB|resumed: .*stored before/);
  const short = await runInMemory(args, { stdin: "x", node });
  assert.equal(short.code, 2);
  assert.match(short.stderr, /same stream/);
  assert.ok(!short.calls.some(({ method }) => method === "blob.staging_abort"));
  const wrong = await runInMemory(["blob", "put", "-", "--resume", "zz"], { stdin: "x", node });
  assert.equal(wrong.code, 2);
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

Deno.test("blob get --from and --class reach the node; what was here is told", async () => {
  await withFolder(async (folder) => {
    const args = ["blob", "get", ADDRESS, "-o", "out", "--from", "00ab", "--from", "00cd"];
    const result = await runInMemory([...args, "--class", "background"], {
      cwd: folder,
      node: { "blob.get": { size: 9, seconds: 1, from: ["00ab"], local_bytes: 4 } },
    });
    assert.equal(result.code, 0, result.stderr);
    const { from, class: bandwidthClass, output } = result.calls[0]?.params ?? {};
    assert.deepEqual(from, ["00ab", "00cd"]);
    assert.equal(bandwidthClass, "background");
    assert.equal(output, `${folder}/out`);
    assert.match(result.stderr, /resumed: 4 B were here before/);
    const both = await runInMemory(["blob", "get", ADDRESS, "a", "-o", "b"], { cwd: folder });
    assert.equal(both.code, 2);
    const unknown = await runInMemory(["blob", "get", ADDRESS, "--class", "fast"], { cwd: folder });
    assert.equal(unknown.code, 2);
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
