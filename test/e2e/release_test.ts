/**
 * The flow of the standard, on a machine that has nothing: fetch, start, validate, stop. It runs over the
 * bundle, which is what is released; elsewhere it is left out.
 */
import assert from "node:assert/strict";
import { BUNDLE } from "../../scripts/bundle.ts";
import { pack } from "../../scripts/pack.ts";
import { findTraces, thisPlace, traceNeedles } from "../../scripts/pack/traces.ts";
import { makeRelease } from "../../scripts/release.ts";
import { parseManifest, parseMetadata } from "../../src/deploy/mod.ts";
import { describe, programWords } from "./program.ts";

const bundle = programWords().find((word) => word.endsWith(`/${BUNDLE}`));
const ROOT = new URL("../../", import.meta.url).pathname;
const FACTS = { builtFrom: "test", builtAt: "2026-01-01T00:00:00Z" };

Deno.test({
  name: "V34: the bundle and its executable name nobody's folders, names and networks",
  ignore: bundle === undefined,
  fn: async () => {
    const traces = findTraces(await Deno.readFile(bundle ?? ""), traceNeedles(thisPlace(ROOT)));
    assert.deepEqual(traces, []);
  },
});

Deno.test({
  name:
    "V-b: fetch, start, validate ipc, validate composition, stop, with nothing but the executable",
  ignore: bundle === undefined || !Deno.build.target.endsWith("-unknown-linux-gnu"),
  fn: async (t) => {
    const folder = await Deno.makeTempDir({ prefix: "net-release-" });
    const run = runner(folder);
    try {
      const packed = `${folder}/built`;
      const runtime = await Deno.readFile(Deno.execPath());
      await Deno.writeFile(packed, pack(runtime, await Deno.readFile(bundle ?? "")));
      await Deno.chmod(packed, 0o755);

      await t.step("V-c, V-i: the release is made, without symbols and traces", async () => {
        const facts = await makeRelease(packed, `${folder}/release`, FACTS);
        const toolkit = `${folder}/release/toolkit`;
        const metadata = parseMetadata(
          await Deno.readTextFile(`${toolkit}/net/metadata.toml`),
          "metadata.toml",
        );
        assert.deepEqual(metadata.compatibility?.capabilities, facts.capabilities);
        assert.ok(facts.capabilities.includes("health.liveness"));
        const manifest = parseManifest(await Deno.readTextFile(`${toolkit}/manifest.lock`), "m");
        assert.equal(manifest.primals.get("net")?.version, facts.version);
      });

      const fetched = `${folder}/work/kit/primals/${Deno.build.arch}/net`;
      await t.step("fetch brings it from a web server", async () => {
        await using server = serveFolder(`${folder}/release/toolkit`);
        const report = await run(packed, [
          ...["fetch", "--composition", "solo", "--source", server.url, "--toolkit", "kit"],
        ]);
        assert.equal(report.fetched, 1);
        assert.deepEqual(report.members[0].verified, ["sha256", "blake3"]);
        assert.equal(((await Deno.stat(fetched)).mode ?? 0) & 0o777, 0o755);
      });
      await t.step("fetch needs no network for what is there", async () => {
        const report = await run(fetched, ["fetch", "--all", "--toolkit", "kit"]);
        assert.equal(report.present, 1);
      });
      // From here on there is only what was fetched.
      await Deno.remove(packed);
      await Deno.remove(`${folder}/release`, { recursive: true });
      await t.step("V-c: start runs it without Deno and Node", async () => {
        await run(fetched, ["start", "--composition", "solo", "--toolkit", "kit"]);
      });
      try {
        await t.step("validate ipc finds it compliant", async () => {
          const report = await run(fetched, ["validate", "ipc", "net", "--rules", "strict"]);
          assert.equal(report.compliant, true, JSON.stringify(report));
        });
        await t.step(
          "validate composition finds it healthy, and as its metadata says",
          async () => {
            const report = await run(fetched, [
              ...["validate", "composition", "solo", "--toolkit", "kit"],
            ]);
            assert.equal(report.compliant && report.healthy, true, JSON.stringify(report));
          },
        );
        await t.step("V-c: validate metadata accepts its file, and finds it true", async () => {
          const file = "kit/net/metadata.toml";
          await run(fetched, ["validate", "metadata", file, "--endpoint", "net"]);
        });
      } finally {
        await t.step("stop ends it", async () => {
          await run(fetched, ["stop", "net"]);
          assert.deepEqual((await run(fetched, ["members"])).members, []);
        });
      }
      await t.step("nothing was written where it ran", () => {
        const names = [...Deno.readDirSync(`${folder}/work`)].map(({ name }) => name);
        assert.deepEqual(names, ["kit"]);
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

/** Runs an executable in an empty folder with an empty PATH; what it prints must be one document. */
function runner(folder: string) {
  for (const name of ["home", "work", "run"]) Deno.mkdirSync(`${folder}/${name}`, { mode: 0o700 });
  return async (executable: string, args: readonly string[]) => {
    const output = await new Deno.Command(executable, {
      args: [...args, "--json"],
      cwd: `${folder}/work`,
      clearEnv: true,
      env: { HOME: `${folder}/home`, XDG_RUNTIME_DIR: `${folder}/run`, PATH: "/nonexistent" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    const [stdout, stderr] = [output.stdout, output.stderr].map((bytes) =>
      new TextDecoder().decode(bytes)
    );
    const result = { code: output.code, stdout: stdout ?? "", stderr: stderr ?? "" };
    assert.equal(output.code, 0, `${args.join(" ")}: ${describe(result)}`);
    return JSON.parse(result.stdout);
  };
}

/** The files of a folder on a free port. */
function serveFolder(folder: string) {
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => {
      const path = new URL(request.url).pathname;
      try {
        if (path.includes("..")) throw new Deno.errors.NotFound();
        const file = await Deno.open(`${folder}${path}`);
        const { size } = await file.stat();
        return new Response(file.readable, { headers: { "content-length": String(size) } });
      } catch {
        return new Response("no", { status: 404 });
      }
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
