/** Releases of a repository: one question for all members, the right asset for the machine. */
import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import { parseReleases } from "../../../src/deploy/mod.ts";
import {
  fileAnswer,
  listFiles,
  makeExecutable,
  metadataText,
  missing,
  runFetch,
  startServer,
  sumsOf,
  withFolder,
  writeFiles,
} from "./_kit.ts";

const GOOD = makeExecutable(20_000);
const OLD = makeExecutable(20_000, 62, 3);

/** A release as the public interface shows it. */
function release(url: string, tag: string, names: readonly string[], fields: object = {}): object {
  const assets = names.map((name) => ({
    name,
    size: 1,
    browser_download_url: `${url}/download/${tag}/${name}`,
  }));
  return { tag_name: tag, draft: false, prerelease: false, assets, ...fields };
}

Deno.test("V-g: releases of a repository are a source: the newest, or one by its tag", () =>
  withFolder(async (root) => {
    await using server = startServer((request, path) => {
      const releases = [
        release(server.url, "v3", ["a-x86_64-unknown-linux-musl"], { draft: true }),
        release(server.url, "v2", ["a-aarch64-linux", "a-x86_64-unknown-linux-gnu", "b", "SUMS"]),
        release(server.url, "v1", ["a-x86_64-linux", "c"]),
      ];
      if (path === "/repos/org/kit/releases") return Response.json(releases);
      if (path === "/repos/org/kit/releases/tags/v1") return Response.json(releases[2]);
      if (path === "/download/v2/a-x86_64-unknown-linux-gnu" || path === "/download/v2/b") {
        return fileAnswer(request, GOOD, '"2"');
      }
      if (/^\/download\/v1\/(a-x86_64-linux|c)$/.test(path)) return fileAnswer(request, OLD, '"1"');
      return missing();
    });
    const run = (members: readonly string[], tag?: string) =>
      runFetch(root, members, {
        sources: ["github:org/kit"],
        tag,
        githubApi: `${server.url}/`,
        allowUnverified: true,
        isForced: true,
      });
    const newest = await run(["a", "b", "c"]);
    assert.deepEqual(newest.outcomes.map(({ source }) => source?.replace(server.url, "")), [
      "/download/v2/a-x86_64-unknown-linux-gnu",
      "/download/v2/b",
      "/download/v1/c",
    ]);
    // All members of a run share one answer.
    const questions = server.asked.filter((path) => path.startsWith("/repos/"));
    assert.deepEqual(questions, ["/repos/org/kit/releases"]);
    const old = await run(["a"], "v1");
    assert.equal(old.outcomes[0]?.source, `${server.url}/download/v1/a-x86_64-linux`);
    const none = await run(["b"], "v1");
    assert.equal(none.outcomes[0]?.error?.code, "not_found");
    assert.match((await run(["a"], "v9")).outcomes[0]?.error?.message ?? "", /no release "v9"/);
  }));

Deno.test("V-g: sources.toml is the default, its version's release first", () =>
  withFolder(async (root) => {
    await using server = startServer((request, path) => {
      const names = ["a-x86_64-unknown-linux-musl"];
      if (path === "/repos/own/a/releases") {
        return Response.json([
          release(server.url, "v9.9.9", names),
          release(server.url, "v1.2.3", names),
        ]);
      }
      if (path === "/repos/ecoPrimals/plasmidBin/releases") {
        return Response.json([release(server.url, "2026.1", ["p_server-x86_64-linux"])]);
      }
      if (path === "/download/v1.2.3/a-x86_64-unknown-linux-musl") {
        return fileAnswer(request, GOOD, '"1"');
      }
      return path === "/download/2026.1/p_server-x86_64-linux"
        ? fileAnswer(request, OLD, '"2"')
        : missing();
    });
    await writeFiles(root, {
      "manifest.lock": "[primals.a]\n[primals.p]\n",
      "a/metadata.toml": metadataText("a", sumsOf(GOOD).sha256),
      "p/metadata.toml": metadataText("p", sumsOf(OLD).sha256),
      "sources.toml": '[sources.a]\nrepo = "own/a"\ntag_pattern = "v{version}"\n' +
        '[sources.p]\nrepo = "own/p"\nprivate = true\nassets = ["p_server"]\n',
    });
    const { outcomes } = await runFetch(root, ["a", "p"], { githubApi: server.url });
    assert.deepEqual(outcomes.map(({ status }) => status), ["fetched", "fetched"]);
    assert.match(outcomes[0]?.source ?? "", /v1\.2\.3/);
    assert.ok(!server.asked.some((path) => path.includes("own/p")));
    assert.ok((await listFiles(root)).includes("primals/x86_64/p 755"));
  }));

Deno.test("a toolkit without manifest takes the files of a release, whose names have no folders", () =>
  withFolder(async (root) => {
    const texts: Readonly<Record<string, string>> = {
      "manifest.lock": "[primals.a]\n",
      "a.metadata.toml": metadataText("a", sumsOf(GOOD).sha256),
    };
    const name = "a-x86_64-unknown-linux-gnu";
    await using server = startServer((request, path) => {
      if (path === "/repos/o/n/releases/tags/v1/2") {
        return Response.json(release(server.url, "v1/2", [...Object.keys(texts), name]));
      }
      const file = path.replace("/download/v1/2/", "");
      if (file === name) return fileAnswer(request, GOOD, '"1"');
      return file in texts ? new Response(texts[file]) : missing();
    });
    const report = await runFetch(root, [], {
      choice: { members: [], compositions: [], isAll: true },
      sources: ["github:o/n"],
      tag: "v1/2",
      githubApi: server.url,
    });
    assert.deepEqual(report.outcomes.map(({ status }) => status), ["fetched"]);
    assert.deepEqual(report.files, ["manifest.lock", "a/metadata.toml"]);
    assert.ok((await listFiles(root)).includes("a/metadata.toml 644"));
  }));

Deno.test("parseReleases() takes names and addresses that can be used, and refuses other answers", () => {
  const asset = (name: unknown, url: unknown) => ({ name, browser_download_url: url });
  const one = JSON.stringify({
    tag_name: "v1",
    assets: [
      asset("good", "https://host/good"),
      asset("../up", "https://host/up"),
      asset("plain", "http://host/plain"),
      asset("script", "javascript:alert(1)"),
      asset("secret", "https://u:p@host/x"),
      asset(7, "https://host/7"),
      null,
    ],
  });
  const [release] = parseReleases(one, "github:a/b");
  assert.deepEqual([...release?.assets ?? []], [["good", "https://host/good"]]);
  for (
    const text of [
      "",
      "null",
      "7",
      '"x"',
      "{}",
      '{"tag_name":"v1"}',
      '[{"tag_name":".."}]',
    ] as const
  ) {
    assert.throws(() => parseReleases(text, "github:a/b"), (error) => {
      return error instanceof NetError && error.code === "network";
    }, text);
  }
});
