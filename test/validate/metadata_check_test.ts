/** Every rule of a metadata file, and the places findings name. */
import { deepStrictEqual, equal, ok, rejects } from "node:assert/strict";
import fc from "fast-check";
import { NetError } from "../../src/base/mod.ts";
import {
  checkMetadata,
  metadataReportDocument,
  renderMetadataReport,
  validateMetadata,
} from "../../src/validate/mod.ts";

const GOOD = `[primal]
name = "fake"
version = "1.0.0"
domain = "storage"
description = "Keeps things"
license = "Apache-2.0"

[provenance]
built_from = "src"
built_at = "2026-01-31T12:00:00Z"

[compatibility]
min_ipc_version = "1.0"
capabilities = [
  "storage.put", # a comment with [ and "
  "storage.get",
]

[builds.x86_64-linux]
binary = "fake"
checksum_sha256 = "${"a".repeat(64)}"
target = "x86_64-unknown-linux-gnu"
pie_verified = true
static_linked = false

[genomeBin]
tier = "genomeBin"
unibin_modes = ["server", "status"]
default_mode = "server"

[genomeBin.server]
tcp_port_env = "FAKE_PORT"
tcp_port_default = 9955
tcp_protocol = "jsonrpc-newline"
socket_flag = "--socket"
port_flag = "--port"
listen_flag = "--listen"
listen_format = "{addr}:{port}"
family_id_flag = "--family"
abstract_flag = "--abstract"
health_probe = "health.liveness"

[genomeBin.service]
restart_policy = "always"
after = ["beardog"]
wants = []
`;

/** Findings as short texts. */
function findings(text: string, folder?: string): readonly string[] {
  return checkMetadata(text, folder).findings.map(({ severity, key, line, message }) =>
    `${severity === "error" ? "✗" : "!"} ${line ?? "-"} ${key} ${message}`
  );
}

Deno.test("checkMetadata() finds nothing in a good file", () => {
  const { metadata } = checkMetadata(GOOD, "fake");
  deepStrictEqual(findings(GOOD, "fake"), []);
  equal(metadata?.primal.name, "fake");
  deepStrictEqual(metadata?.compatibility?.capabilities, ["storage.put", "storage.get"]);
});

/** What is changed in the good file, and the only finding about it. */
const CHANGES: readonly (readonly [string, string, string])[] = [
  [
    'name = "fake"',
    'name = "../fake"',
    '✗ 2 primal.name is "../fake", must be a member\'s name: letters, digits, - or _',
  ],
  ['name = "fake"\n', "", "✗ 1 primal.name is missing"],
  [
    'version = "1.0.0"',
    'version = "1.0"',
    '✗ 3 primal.version is "1.0", must be a version such as 1.2.3',
  ],
  ['version = "1.0.0"', "version = 1.0", "✗ 3 primal.version is 1, must be a text"],
  [
    'domain = "storage"',
    'domain = "Storage!"',
    '✗ 4 primal.domain is "Storage!", must be lower-case words with dots between',
  ],
  ['license = "Apache-2.0"\n', "", "! 1 primal.license is missing"],
  [
    "2026-01-31T12:00:00Z",
    "2026-01-31T12:00:00+01:00",
    '✗ 10 provenance.built_at is "2026-01-31T12:00:00+01:00", must be a moment in UTC such as 2026-01-31T12:00:00Z',
  ],
  [
    "2026-01-31T12:00:00Z",
    "2026-02-31",
    '✗ 10 provenance.built_at is "2026-02-31", must be a moment in UTC such as 2026-01-31T12:00:00Z',
  ],
  ['"2026-01-31T12:00:00Z"', "12", "✗ 10 provenance.built_at is 12, must be a moment in UTC"],
  [
    'built_from = "src"',
    `checksum_sha256 = "${"b".repeat(64)}"`,
    "! 9 provenance.checksum_sha256 is an older place for it, now it belongs to [builds.ARCH-linux]",
  ],
  [
    'built_from = "src"',
    'checksum_sha256 = "abc"',
    '✗ 9 provenance.checksum_sha256 is "abc", must be 64 hexadecimal digits',
  ],
  [
    'min_ipc_version = "1.0"',
    "min_ipc_version = 1.0",
    "✗ 13 compatibility.min_ipc_version is 1, must be a text",
  ],
  [
    '"storage.get",',
    '"Storage.get",',
    '✗ 14 compatibility.capabilities has the entry "Storage.get", must be names such as domain.operation',
  ],
  ['"storage.get",', '"storage.put",', '! 14 compatibility.capabilities names "storage.put" twice'],
  [
    '"storage.get",',
    "7,",
    "✗ 14 compatibility.capabilities has the entry 7, must be names such as domain.operation",
  ],
  [
    'binary = "fake"',
    'binary = "bin/fake"',
    '✗ 20 builds.x86_64-linux.binary is "bin/fake", must be the name of one file, without folder',
  ],
  [
    'binary = "fake"',
    'binary = "other"',
    "! 20 builds.x86_64-linux.binary is not the member's name",
  ],
  [
    `"${"a".repeat(64)}"`,
    '"aa"',
    '✗ 21 builds.x86_64-linux.checksum_sha256 is "aa", must be 64 hexadecimal digits',
  ],
  [
    `"${"a".repeat(64)}"`,
    '""',
    "! 19 builds.x86_64-linux has no checksum, so a download cannot be verified",
  ],
  [
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    '✗ 22 builds.x86_64-linux.target is "aarch64-unknown-linux-gnu", must be a target of x86_64',
  ],
  [
    "x86_64-unknown-linux-gnu",
    "linux",
    '✗ 22 builds.x86_64-linux.target is "linux", must be a target such as x86_64-unknown-linux-gnu',
  ],
  [
    "pie_verified = true",
    'pie_verified = "yes"',
    '✗ 23 builds.x86_64-linux.pie_verified is "yes", must be true or false',
  ],
  [
    'tier = "genomeBin"',
    'tier = "ecoBin"',
    "! 24 builds.x86_64-linux.static_linked is false, an ecoBin is static",
  ],
  [
    'tier = "genomeBin"',
    'tier = "gold"',
    '✗ 27 genomeBin.tier is "gold", must be ecoBin or genomeBin',
  ],
  [
    'default_mode = "server"',
    'default_mode = "web"',
    '✗ 29 genomeBin.default_mode is "web", must be one of unibin_modes',
  ],
  [
    "FAKE_PORT",
    "fake-port",
    '✗ 32 genomeBin.server.tcp_port_env is "fake-port", must be the name of a variable such as NET_PORT',
  ],
  [
    "= 9955",
    "= 65536",
    "✗ 33 genomeBin.server.tcp_port_default is 65536, must be a whole number from 1 to 65535",
  ],
  [
    "= 9955",
    '= "9955"',
    '✗ 33 genomeBin.server.tcp_port_default is "9955", must be a whole number from 1 to 65535',
  ],
  [
    "jsonrpc-newline",
    "grpc",
    '✗ 34 genomeBin.server.tcp_protocol is "grpc", must be jsonrpc-newline, http or tarpc',
  ],
  [
    'port_flag = "--port"',
    'port_flag = "--tcp-port"',
    '✗ 36 genomeBin.server.port_flag is "--tcp-port", must be "--port"',
  ],
  [
    '"--socket"',
    '"socket; rm -rf /"',
    '✗ 35 genomeBin.server.socket_flag is "socket; rm -rf /", must be a flag such as --port',
  ],
  [
    "{addr}:{port}",
    "{addr}",
    '✗ 38 genomeBin.server.listen_format is "{addr}", must contain {port}, as in {addr}:{port}',
  ],
  [
    'restart_policy = "always"',
    'restart_policy = "sometimes"',
    '✗ 44 genomeBin.service.restart_policy is "sometimes", must be always, on-failure, no or never',
  ],
  [
    'after = ["beardog"]',
    'after = ["fake"]',
    "✗ 45 genomeBin.service.after names the member itself",
  ],
  [
    'after = ["beardog"]',
    'after = "beardog"',
    '✗ 45 genomeBin.service.after is "beardog", must be a list of texts',
  ],
  ["wants = []", "wants = []\nsocket_env = 1", "! 47 genomeBin.service.socket_env is not known"],
  ["wants = []", "wants = []\n[genomeBin.web]\nbind = 1", "! 47 genomeBin.web is not known"],
  [
    "[builds.x86_64-linux]",
    "[builds.x86_64-windows]",
    "! 19 builds.x86_64-windows is not for Linux",
  ],
  ["wants = []", "wants = []\n[__proto__]\nx = 1", "! 47 __proto__ is not known"],
];

for (const [from, to, finding] of CHANGES) {
  Deno.test(`checkMetadata() says: ${finding}`, () => {
    ok(GOOD.includes(from));
    deepStrictEqual(findings(GOOD.replace(from, to), "fake"), [finding]);
    equal(checkMetadata(GOOD.replace(from, to)).metadata === undefined, finding.startsWith("✗"));
  });
}

Deno.test("checkMetadata() says where a text is no TOML", () => {
  const [finding] = findings(GOOD.replace('domain = "storage"', "domain = storage"));
  ok(finding?.startsWith("✗ 4 "), finding);
  deepStrictEqual(findings("x".repeat(2 << 20)).length, 1);
});

Deno.test("checkMetadata() finds everything at once, in the order of the lines", () => {
  const text = GOOD.replace('"1.0.0"', '"one"').replace('"--port"', '"-p"').replace(
    "= 9955",
    "= 0",
  );
  deepStrictEqual(checkMetadata(text, "other").findings.map(({ line }) => line), [2, 3, 33, 36]);
  ok(findings("").includes("✗ - primal.name is missing"));
});

Deno.test("checkMetadata() names lines behind texts and lists of many lines", () => {
  const text = `[primal]
name = "fake"
"version" = "1.0.0"
description = """
[builds.x]
name = 7
"""
domain = '''a
b = 1'''
license = "x" # [not.a.table]
architecture = { a = [
  1 ] }
flavour = 1
`;
  deepStrictEqual(findings(text), [
    '✗ 8 primal.domain is "a\u{fffd}b = 1", must be lower-case words with dots between',
    "! 11 primal.architecture is an older place for it, now it belongs to [builds.ARCH-linux]",
    "! 13 primal.flavour is not known",
    "! - builds is missing",
  ]);
});

Deno.test("checkMetadata() keeps a stranger's text away from the terminal, and stays bounded", () => {
  const escape = findings('[primal]\nname = "\\u001b[31m"\n"k\\u0007ey" = 1\n').join("\n");
  equal(/[^\P{C}\n]/u.test(escape), false, escape);
  const many = Array.from({ length: 5000 }, (_, index) => `key${index} = 1`).join("\n");
  equal(findings(`[primal]\n${many}`).length, 200);
});

Deno.test("checkMetadata() never throws", () => {
  const lines = GOOD.split("\n");
  fc.assert(fc.property(fc.array(fc.constantFrom(...lines), { maxLength: 60 }), (picked) => {
    checkMetadata(picked.join("\n"));
  }));
  fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => void checkMetadata(text)));
});

Deno.test("validateMetadata() reads a file or a folder and refuses what is neither", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.mkdir(`${folder}/fake`);
  await Deno.writeTextFile(`${folder}/fake/metadata.toml`, GOOD);
  for (const path of [`${folder}/fake`, `${folder}/fake/`, "fake/metadata.toml"]) {
    const report = await validateMetadata(path, { cwd: folder });
    deepStrictEqual([report.valid, report.compliant, report.member], [true, true, undefined]);
    deepStrictEqual(metadataReportDocument(report), {
      schema: "net.validate.metadata.v1",
      path: `${folder}/fake/metadata.toml`,
      valid: true,
      compliant: true,
      name: "fake",
      version: "1.0.0",
      builds: ["x86_64-linux"],
      capabilities: ["storage.put", "storage.get"],
      errors: [],
      warnings: [],
      member: null,
    });
  }
  await Deno.writeFile(`${folder}/binary`, new Uint8Array([0xff, 0xfe]));
  const broken = await validateMetadata(`${folder}/binary`);
  equal(broken.compliant, false);
  equal(
    renderMetadataReport(broken, { useColor: false }),
    `Metadata Report: ${folder}/binary\n${"━".repeat(54)}\n  ✗ the file is not valid UTF-8\n\n` +
      "Result: INVALID\n",
  );
  const fails = (path: string, code: string) =>
    rejects(validateMetadata(path), (error) => error instanceof NetError && error.code === code);
  await fails(`${folder}/absent`, "not_found");
  await fails(folder, "not_found");
  await fails("/dev/zero", "usage");
  await Deno.remove(folder, { recursive: true });
});
