/** `net fetch` as a process: killed in the middle, and again. */
import assert from "node:assert/strict";
import { createSha256 } from "../../src/core/crypto/mod.ts";
import { makeWorkspace } from "./harness.ts";
import { describe, spawnProgram } from "./program.ts";

const SIZE = 3_000_000;
const BROUGHT = 2_000_000;

Deno.test("V31: a fetch that was killed goes on where it stopped, and leaves nothing to execute before", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  const bytes = crypto.getRandomValues(new Uint8Array(65_536));
  const file = new Uint8Array(SIZE);
  for (let at = 0; at < SIZE; at += bytes.length) file.set(bytes.subarray(0, SIZE - at), at);
  file.set([0x23, 0x21]);
  const sha256 = createSha256().update(file).digest().toHex();
  await Deno.mkdir(`${home.dir}/kit/a`, { recursive: true });
  await Deno.writeTextFile(
    `${home.dir}/kit/a/metadata.toml`,
    `[primal]\nname = "a"\nversion = "1"\n[builds.${Deno.build.arch}-linux]\nchecksum_sha256 = "${sha256}"\n`,
  );

  const ranges: (string | null)[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const path = `/primals/${Deno.build.arch}/a`;
    if (new URL(request.url).pathname !== path) return new Response("no", { status: 404 });
    const range = request.headers.get("range");
    ranges.push(range);
    const start = Number(/(\d+)-/.exec(range ?? "")?.[1] ?? 0);
    const headers = new Headers({ etag: '"1"' });
    if (start > 0) headers.set("content-range", `bytes ${start}-${SIZE - 1}/${SIZE}`);
    if (ranges.length > 1) {
      return new Response(file.subarray(start), { status: start > 0 ? 206 : 200, headers });
    }
    // The first one never ends.
    headers.set("content-length", String(SIZE));
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(file.subarray(0, BROUGHT)),
    });
    return new Response(body, { headers });
  });
  try {
    const target = `${home.dir}/kit/primals/${Deno.build.arch}`;
    const args = ["fetch", "a", "--toolkit", `${home.dir}/kit`, "--json"];
    args.push("--source", `http://127.0.0.1:${server.addr.port}`);
    const first = spawnProgram(args, { env: home.env, cwd: home.dir });
    const until = performance.now() + 30_000;
    while (await sizeOf(`${target}/.a.part`) < BROUGHT) {
      assert.ok(first.isAlive() && performance.now() < until, first.stderr());
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    first.kill("SIGKILL");
    await first.finished();
    const left = [...Deno.readDirSync(target)].map(({ name }) => name).sort();
    assert.deepEqual(left, [".a.part", ".a.part.json"]);
    assert.equal(((await Deno.stat(`${target}/.a.part`)).mode ?? 0) & 0o777, 0o600);

    const second = await home.net(args);
    assert.equal(second.code, 0, describe(second));
    const [member] = JSON.parse(second.stdout).members;
    assert.equal(member.resumed_bytes, BROUGHT);
    assert.equal(member.sha256, sha256);
    assert.deepEqual(ranges, [null, `bytes=${BROUGHT}-`]);
    assert.deepEqual([...Deno.readDirSync(target)].map(({ name }) => name), ["a"]);
  } finally {
    await server.shutdown();
  }
});

async function sizeOf(path: string): Promise<number> {
  try {
    return (await Deno.stat(path)).size;
  } catch {
    return 0;
  }
}
