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

Deno.test("fetch --source mesh finds an executable by its checksum", async () => {
  await using workspace = await makeWorkspace();
  const node = await workspace.startNode({ flags: ["--udp", "127.0.0.1:0"] });
  const { home } = node;
  const file = new Uint8Array(5_000_000);
  for (let at = 0; at < file.length; at += 65_536) {
    crypto.getRandomValues(file.subarray(at, at + 65_536));
  }
  file.set([0x23, 0x21]);
  await Deno.writeFile(`${home.dir}/a`, file);
  const put = await home.json(["blob", "put", `${home.dir}/a`]);
  const blake3 = String(put.address).slice("b3:".length);
  const kit = `${home.dir}/kit`;
  const target = `${kit}/primals/${Deno.build.arch}`;
  await Deno.mkdir(target, { recursive: true });
  const entry = (name: string, sum: string) =>
    `[primals.${name}]\n"${Deno.build.arch}-unknown-linux-musl" = "${sum}"\n`;
  await Deno.writeTextFile(
    `${kit}/checksums.toml`,
    entry("a", blake3) + entry("b", "0".repeat(64)),
  );
  const fetchBoth = async () => {
    const args = ["fetch", "a", "b", "--toolkit", kit, "--source", "mesh", "--json"];
    const result = await home.net(args);
    assert.equal(result.code, 1, describe(result));
    assert.ok(result.stdout !== "", describe(result));
    const [a, b] = JSON.parse(result.stdout).members;
    assert.equal(b.error.code, "not_found", describe(result));
    assert.equal(a.status, "fetched", describe(result));
    assert.equal(a.blake3, blake3);
    await Deno.remove(`${target}/a`);
    return a.resumed_bytes;
  };
  assert.equal(await fetchBoth(), 0);
  // What an earlier run had brought counts.
  const leave = async (count: number) => {
    await Deno.writeFile(`${target}/.a.part`, file.subarray(0, count));
    const origin = { place: `mesh:b3:${blake3}`, validator: `b3:${blake3}` };
    await Deno.writeTextFile(`${target}/.a.part.json`, JSON.stringify(origin));
  };
  await leave(2_000_000);
  assert.equal(await fetchBoth(), 2_000_000);
  // Also all of it: then there is nothing behind.
  await leave(file.length);
  await fetchBoth();
});

async function sizeOf(path: string): Promise<number> {
  try {
    return (await Deno.stat(path)).size;
  } catch {
    return 0;
  }
}
