import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type DirEntry,
  encodeBlobRef,
  type ExtractionPlan,
  foldName,
  isSafeName,
  planExtraction,
  type PlanExtractionOptions,
  safeNames,
} from "../../../src/blob/mod.ts";

const BLOB = encodeBlobRef({ kind: "small", uri: "", hash: new Uint8Array(32), size: 7 });
const file = (path: string, mode = 0o644): DirEntry => ({ kind: "file", path, mode, blob: BLOB });
const dir = (path: string): DirEntry => ({ kind: "dir", path, mode: 0o755 });
const link = (path: string, target: string): DirEntry => ({ kind: "symlink", path, target });

const COMPOSED = "\u00e9";
const DECOMPOSED = "e\u0301";

function faultOf(entries: readonly DirEntry[], options?: PlanExtractionOptions) {
  const planned = planExtraction(entries, options);
  return planned.ok ? undefined : planned.fault;
}

function planOf(entries: readonly DirEntry[], options?: PlanExtractionOptions): ExtractionPlan {
  const planned = planExtraction(entries, options);
  assert.ok(planned.ok, JSON.stringify(planned));
  return planned.plan;
}

/** Where a path leads in the folder that a plan makes, or undefined when it leaves it. */
function follow(
  plan: ExtractionPlan,
  start: readonly string[],
  path: string,
  sameName: (name: string) => string,
): readonly string[] | undefined {
  const links = new Map(
    plan.links.map(({ path, target }) => [path.split("/").map(sameName).join("/"), target]),
  );
  let [at, left] = [[...start], path.split("/")];
  for (let hops = 0; hops < 40;) {
    const name = left.shift();
    if (name === undefined) return at;
    if (name === "" || name === ".") continue;
    if (name === "..") {
      if (at.length === 0) return undefined;
      at = at.slice(0, -1);
      continue;
    }
    at = [...at, sameName(name)];
    const target = links.get(at.join("/"));
    if (target === undefined) continue;
    hops += 1;
    if (target.startsWith("/")) return undefined;
    at = at.slice(0, -1);
    left = [...target.split("/"), ...left];
  }
  // A loop leads nowhere.
  return [];
}

const name = fc.constantFrom(
  "a",
  "A",
  "b",
  COMPOSED,
  DECOMPOSED,
  COMPOSED.toUpperCase(),
  "s",
  "\u017f",
  "a\u200d",
);
const names = fc.array(name, { minLength: 1, maxLength: 4 });
const target = fc.array(fc.oneof(name, fc.constantFrom("..", ".", "")), { maxLength: 5 })
  .map((parts) => parts.join("/"));
const entry = fc.oneof(
  names.map((parts) => file(parts.join("/"))),
  names.map((parts) => dir(parts.join("/"))),
  fc.tuple(names, target).map(([parts, target]) => link(parts.join("/"), target)),
);

Deno.test("planExtraction() makes no link that leaves the folder, on any file system", () => {
  const systems: readonly ((name: string) => string)[] = [
    (name) => name,
    (name) => name.normalize("NFC"),
    (name) => name.normalize("NFD").toLowerCase(),
    (name) => name.toUpperCase().replaceAll("\u200d", ""),
  ];
  let accepted = 0;
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 8 }), (entries) => {
      const planned = planExtraction(entries);
      if (!planned.ok) return;
      accepted += planned.plan.links.length;
      for (const sameName of systems) {
        for (const { path } of planned.plan.links) {
          assert.notEqual(follow(planned.plan, [], path, sameName), undefined);
        }
      }
    }),
    { numRuns: 3_000 },
  );
  assert.ok(accepted > 100);
});

Deno.test("planExtraction() lists folders behind their parents, and no path twice", () => {
  fc.assert(fc.property(fc.array(entry, { maxLength: 10 }), fc.boolean(), (entries, foldsNames) => {
    const planned = planExtraction(entries, { foldsNames });
    if (!planned.ok) return;
    const { dirs, files, links } = planned.plan;
    const made = new Set<string>();
    const same = (path: string) => foldsNames ? path.split("/").map(foldName).join("/") : path;
    for (const path of [...dirs, ...files.paths, ...links.map((l) => l.path)]) {
      const parent = path.split("/").slice(0, -1).join("/");
      assert.ok(parent === "" || dirs.includes(parent), path);
      assert.ok(!made.has(same(path)), path);
      made.add(same(path));
    }
  }));
});

Deno.test("planExtraction() refuses paths that are not plainly below the folder", () => {
  for (const path of ["", "/", "/etc/x", "..", "a/..", "a/../x", "./x", ".", "a\0b", "../x"]) {
    for (const entry of [file(path), dir(path), link(path, "x")]) {
      assert.equal(faultOf([entry]), "unsafe_path", path);
    }
  }
  assert.equal(faultOf([file("n".repeat(256))]), "unsafe_path");
  assert.equal(faultOf([file("\u00e9".repeat(128))]), "unsafe_path");
  assert.equal(faultOf([file("nn/".repeat(1_400))]), "unsafe_path");
  assert.deepEqual(safeNames("a//b/./c/"), ["a", "b", "c"]);
  assert.deepEqual(safeNames("...a/ b/~"), ["...a", " b", "~"]);
});

Deno.test("planExtraction() refuses links through links, however the names are spelled", () => {
  const through = (declared: string, used: string) =>
    faultOf([dir("d"), link(declared, "d"), link("b", `${used}/x`)]);
  for (
    const [declared, used] of [
      ["a", "a"],
      ["a", "A"],
      [COMPOSED, DECOMPOSED],
      [COMPOSED.toUpperCase(), DECOMPOSED],
      ["s", "\u017f"],
      ["ss", "\u00df"],
      ["k", "\u212a"],
      ["a", "a\u200d"],
      ["a", "\ufeffa"],
    ] as const
  ) {
    assert.equal(through(declared, used), "unsafe_path", `${declared} ${used}`);
    assert.equal(faultOf([link(declared, "d"), link(`${used}/l`, "x")]), "unsafe_path");
  }
  assert.equal(through("a", "c"), undefined);
  assert.equal(faultOf([link("a", "."), link("b", "a/../..")]), "unsafe_path");
  assert.equal(faultOf([link("l", "x\0")]), "unsafe_path");
  assert.equal(faultOf([link("l", "x/".repeat(3_000))]), "unsafe_path");
});

Deno.test("planExtraction() lets links give way and says which", () => {
  const plan = planOf([dir("d"), link("a", "d"), file("a/x"), link("e", ""), link("d", "a/..")]
    .slice(0, 4));
  assert.deepEqual(plan.dirs, ["d", "a"]);
  assert.deepEqual([...plan.files].map(({ path }) => path), ["a/x"]);
  assert.deepEqual(plan.links, []);
  assert.deepEqual(plan.skippedLinks.map(({ path }) => path), ["a", "e"]);
  // A link below a file cannot be made; one below a new folder can.
  const below = planOf([file("f"), link("f/l", "x"), link("n/l", "x")]);
  assert.deepEqual(below.skippedLinks.map(({ path }) => path), ["f/l"]);
  assert.deepEqual(below.dirs, ["n"]);
});

Deno.test("planExtraction() keeps the first of two files with one path, and refuses files for folders", () => {
  const plan = planOf([file("x", 0o644), file("x/", 0o600)]);
  assert.deepEqual([...plan.files].map(({ mode }) => mode), [0o644]);
  assert.deepEqual(plan.repeatedFiles.map(({ mode }) => mode), [0o600]);
  assert.equal(faultOf([file("a"), file("a/b")]), "path_conflict");
  assert.equal(faultOf([file("a/b"), file("a")]), "path_conflict");
  assert.equal(faultOf([dir("a"), file("a")]), "path_conflict");
  assert.equal(faultOf([file("a"), dir("a")]), "path_conflict");
});

Deno.test("planExtraction() refuses twins where the file system takes them for one", () => {
  for (
    const [a, b] of [["A.txt", "a.txt"], [COMPOSED, DECOMPOSED], ["A/x", "a/y"]] as const
  ) {
    assert.equal(faultOf([file(a), file(b)]), undefined);
    assert.equal(faultOf([file(a), file(b)], { foldsNames: true }), "path_conflict");
  }
  assert.equal(faultOf([file("A"), file("A")], { foldsNames: true }), undefined);
});

Deno.test("planExtraction() refuses names that mean something else on Windows, there", () => {
  for (
    const name of ["a\\..\\..\\x", "C:x", "x:stream", "nul", "CON.txt", "com1", "a.", "a ", "a?b"]
  ) {
    assert.ok(isSafeName(name));
    assert.equal(faultOf([file(name)]), undefined, name);
    assert.equal(faultOf([file(name)], { platform: "windows" }), "unsafe_path", name);
    assert.equal(faultOf([link("l", name)], { platform: "windows" }), "unsafe_path", name);
  }
  assert.equal(faultOf([file("console.txt")], { platform: "windows" }), undefined);
});

Deno.test("planExtraction() refuses manifests that need very many folders they do not list", () => {
  const deep = Array.from({ length: 100 }, (_, i) => file(`${i}/${"a/".repeat(2_000)}x`));
  assert.equal(faultOf(deep), "too_large");
  assert.equal(faultOf(deep.slice(0, 4)), undefined);
});

Deno.test("planExtraction() refuses files without a reference, and trees", () => {
  assert.equal(
    faultOf([{ kind: "file", path: "x", mode: 0, blob: new Uint8Array(3) }]),
    "bad_reference",
  );
});
