/** Manifests of strangers: members, springs and compositions, refused with `table.key`. */
import assert from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import { parseManifest } from "../../src/deploy/mod.ts";

Deno.test("parseManifest() reads members, springs and compositions in order", () => {
  const manifest = parseManifest(
    `
[meta]
generated = 2026-04-10T23:18:00Z
registry_version = "3.0.0"
status = "x"
architectures = ["x86_64-linux", "aarch64-linux"]
[primals.songbird]
version = "0.2.1"
domain = "discovery"
tier = "genomeBin"
default_port = 9200
builds = ["x86_64-linux"]
[primals.beardog]
[springs.hotspring]
domain = "science.physics"
binary = "hotspring_primal"
[springs.beardog]
version = "9"
[compositions.tower]
primals = ["beardog", "songbird"]
[compositions.mesh]
primals = ["net", "net", "net"]
[compositions.none]
`,
    "manifest.lock",
  );
  assert.deepEqual(manifest, {
    meta: {
      generated: "2026-04-10T23:18:00.000Z",
      registryVersion: "3.0.0",
      architectures: ["x86_64-linux", "aarch64-linux"],
    },
    primals: new Map([
      ["songbird", {
        section: "primals",
        version: "0.2.1",
        domain: "discovery",
        tier: "genomeBin",
        defaultPort: 9200,
        builds: ["x86_64-linux"],
      }],
      ["beardog", { section: "primals" }],
      ["hotspring", {
        section: "springs",
        domain: "science.physics",
        binary: "hotspring_primal",
      }],
    ]),
    compositions: new Map([
      ["tower", ["beardog", "songbird"]],
      ["mesh", ["net", "net", "net"]],
      ["none", []],
    ]),
  });
  assert.deepEqual([...manifest.primals.keys()], ["songbird", "beardog", "hotspring"]);
  assert.equal(parseManifest("", "m").primals.size, 0);
});

Deno.test("parseManifest() refuses what is wrong by table and key", () => {
  for (
    const [text, place] of [
      ['[primals."../x"]', 'primals."../x" is not a name'],
      ["[primals.a]\ndefault_port = 70000", "primals.a.default_port must be a port"],
      ['[primals.a]\nbuilds = ["x/y"]', "primals.a.builds[0] is"],
      ['[primals.a]\nbinary = "/bin/sh"', "primals.a.binary is"],
      ["[primals]\na = 1", "primals.a must be a table"],
      ['[compositions.t]\nprimals = ["a/b"]', "compositions.t.primals[0] is"],
      ["[compositions.t]\nprimals = [1]", "compositions.t.primals[0] must be a text"],
      [`[compositions.t]\nprimals = [${'"a",'.repeat(129)}]`, "compositions.t.primals has 129"],
      [
        Array.from({ length: 513 }, (_, index) => `[primals.p${index}]`).join("\n"),
        "[primals] has 513 entries",
      ],
    ] as const
  ) {
    assert.throws(() => parseManifest(text, "m.lock"), (error) => {
      assert.ok(error instanceof NetError && error.code === "usage", String(error));
      assert.ok(error.message.startsWith("m.lock: "), error.message);
      assert.ok(error.message.includes(place), `${error.message} has no ${place}`);
      return true;
    });
  }
});
