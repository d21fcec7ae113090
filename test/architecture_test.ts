/** Who may import whom: the one rule about structure that a machine keeps. */
import assert from "node:assert/strict";
import { dirname, join, normalize } from "node:path";

/** Folders of `src` from the ground up; a file imports from its own level or below. */
const LEVELS: readonly (readonly string[])[] = [
  ["base", "schema"],
  ["config", "observe"],
  ["kernel"],
  ["core/crypto", "core/transport", "core/capability", "core/ledger"],
  ["channel", "rpc"],
  ["log", "state", "blob", "query", "compute", "market", "directory"],
  ["services"],
  ["node.ts"],
  ["control", "gateway", "host"],
  ["deploy"],
  ["validate", "deck"],
  ["library"],
  ["mod.ts"],
];

/** A third-party package is imported in these places only. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  "@noble/": ["src/core/crypto/"],
  "@scure/": ["src/core/crypto/"],
  "hash-wasm": ["src/core/crypto/"],
  "kysely": ["src/core/ledger/", "/queries.ts"],
  "@stricli/": ["cmd/"],
  "hono": ["src/gateway/"],
  "smol-toml": ["src/config/toml.ts"],
  "valibot": ["src/schema/"],
  "ioredis": ["src/log/bus/adapters/redis/"],
  "@nats-io/": ["src/log/bus/adapters/jetstream/"],
};

const ROOT = new URL("../", import.meta.url).pathname;
const IMPORT = /(?:^|\n)\s*(?:import|export)\b[^;]*?from\s*"([^"]+)"|import\(\s*"([^"]+)"\s*\)/g;

Deno.test("modules import only from their own level or below", () => {
  const wrong: string[] = [];
  for (const { file, target } of imports("src")) {
    if (!target.startsWith("src/")) {
      if (!target.startsWith(".")) continue;
      wrong.push(`${file} leaves src: ${target}`);
    } else if (levelOf(target) > levelOf(file)) wrong.push(`${file} imports upward: ${target}`);
  }
  assert.deepEqual(wrong, []);
});

Deno.test("folders are entered through their mod.ts", () => {
  const wrong: string[] = [];
  for (const { file, target } of [...imports("src"), ...imports("cmd")]) {
    if (!target.startsWith("src/") || folderOf(target) === folderOf(file)) continue;
    if (target.endsWith("/mod.ts") || target === "src/node.ts") continue;
    wrong.push(`${file} reaches into ${target}`);
  }
  assert.deepEqual(wrong, []);
});

Deno.test("packages are imported where they belong", () => {
  const wrong: string[] = [];
  for (const { file, target } of [...imports("src"), ...imports("cmd")]) {
    for (const [prefix, places] of Object.entries(PACKAGES)) {
      if (!target.startsWith(prefix)) continue;
      if (!places.some((place) => file.startsWith(place) || file.endsWith(place))) {
        wrong.push(`${file} imports ${target}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

/** Every import of every module below `folder`; relative ones resolved against the project. */
function* imports(folder: string): Generator<{ file: string; target: string }> {
  for (const entry of Deno.readDirSync(join(ROOT, folder))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* imports(path);
    if (!entry.isFile || !path.endsWith(".ts")) continue;
    // Examples in comments import too; they are not the module's own imports.
    const text = Deno.readTextFileSync(join(ROOT, path)).replace(/\/\*[\s\S]*?\*\//g, "");
    for (const [, from, dynamic] of text.matchAll(IMPORT)) {
      const specifier = from ?? dynamic ?? "";
      const target = specifier.startsWith(".")
        ? normalize(join(dirname(path), specifier))
        : specifier;
      yield { file: path, target };
    }
  }
}

function folderOf(path: string): string {
  const known = LEVELS.flat().find((name) => path.startsWith(`src/${name}`));
  return known ?? dirname(path);
}

function levelOf(path: string): number {
  const name = folderOf(path);
  const level = LEVELS.findIndex((names) => names.includes(name));
  assert.ok(level >= 0, `${path} is in a folder that has no level`);
  return level;
}
