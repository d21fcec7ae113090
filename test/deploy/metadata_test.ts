/** Metadata of strangers: read whole, refused with `table.key`. */
import assert from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import { parseMetadata } from "../../src/deploy/mod.ts";

const SUM = "0123456789abcdef".repeat(4);

Deno.test("parseMetadata() reads every key of the standard", () => {
  const metadata = parseMetadata(
    `
[primal]
name = "beardog"
version = "0.9.0-rc.1+b7"
domain = "crypto"
description = "keys"
license = "AGPL-3.0-or-later"
unknown = [1, 2]

[provenance]
built_from = "primals/beardog"
built_at = "2026-03-25T12:36:45Z"
checksum_sha256 = "${SUM}"

[compatibility]
min_ipc_version = "1.0"
capabilities = ["crypto.sign", "crypto.verify"]

[builds.x86_64-linux]
binary = "beardog_primal"
checksum_sha256 = "${SUM.toUpperCase()}"
checksum_blake3 = "${SUM}"
target = "x86_64-unknown-linux-musl"
pie_verified = true
static_linked = false

[builds.aarch64-linux]
checksum_sha256 = ""

[genomeBin]
tier = "genomeBin"
unibin_modes = ["server", "version"]
default_mode = "server"

[genomeBin.server]
tcp_port_env = "BEARDOG_PORT"
tcp_port_default = 9100
tcp_protocol = "jsonrpc-newline"
socket_flag = "--socket"
port_flag = "--port"
bind_flag = "--bind"
listen_flag = "--listen"
listen_format = "{addr}:{port}"
family_id_flag = "--family-id"
abstract_flag = "--abstract"
health_probe = "health.liveness"

[genomeBin.service]
restart_policy = "always"
after = ["songbird"]
wants = []
`,
    "metadata.toml",
  );
  assert.deepEqual(metadata, {
    primal: {
      name: "beardog",
      version: "0.9.0-rc.1+b7",
      domain: "crypto",
      description: "keys",
      license: "AGPL-3.0-or-later",
    },
    provenance: {
      builtFrom: "primals/beardog",
      builtAt: "2026-03-25T12:36:45Z",
      checksumSha256: SUM,
    },
    compatibility: { minIpcVersion: "1.0", capabilities: ["crypto.sign", "crypto.verify"] },
    genomeBin: {
      tier: "genomeBin",
      unibinModes: ["server", "version"],
      defaultMode: "server",
      server: {
        tcpPortEnv: "BEARDOG_PORT",
        tcpPortDefault: 9100,
        tcpProtocol: "jsonrpc-newline",
        socketFlag: "--socket",
        portFlag: "--port",
        bindFlag: "--bind",
        listenFlag: "--listen",
        listenFormat: "{addr}:{port}",
        familyIdFlag: "--family-id",
        abstractFlag: "--abstract",
        healthProbe: "health.liveness",
      },
      service: { restartPolicy: "always", after: ["songbird"], wants: [] },
    },
    builds: new Map([
      ["x86_64-linux", {
        binary: "beardog_primal",
        checksumSha256: SUM,
        checksumBlake3: SUM,
        target: "x86_64-unknown-linux-musl",
        pieVerified: true,
        staticLinked: false,
      }],
      ["aarch64-linux", {}],
    ]),
  });
});

Deno.test("parseMetadata() reads the oldest form, whose one build is in [primal]", () => {
  const { builds } = parseMetadata(
    `[primal]\nname = "loamspine"\nversion = "0.9.13"\narchitecture = "x86_64-linux"\n` +
      `checksum_sha256 = "${SUM}"\n`,
    "m",
  );
  assert.deepEqual(builds, new Map([["x86_64-linux", { checksumSha256: SUM }]]));
});

Deno.test("parseMetadata() refuses what is wrong by table and key", () => {
  const head = '[primal]\nname = "a"\nversion = "1.0.0"\n';
  for (
    const [text, place] of [
      ["", "primal.name is missing"],
      ['[primal]\nname = "a"', "primal.version is missing"],
      ["primal = 1", "primal must be a table"],
      ['[primal]\nname = "../x"\nversion = "1"', 'primal.name is "../x", must be'],
      ['[primal]\nname = "a/b"\nversion = "1"', "primal.name is"],
      ['[primal]\nname = ".a"\nversion = "1"', "primal.name is"],
      ['[primal]\nname = ""\nversion = "1"', "primal.name is"],
      ['[primal]\nname = 7\nversion = "1"', "primal.name must be a text"],
      [`[primal]\nname = "${"a".repeat(65)}"\nversion = "1"`, "primal.name has 65 characters"],
      ['[primal]\nname = "a"\nversion = "1 2"', "primal.version is"],
      [`${head}[builds.x86_64-linux]\nbinary = "../sh"`, "builds.x86_64-linux.binary is"],
      [`${head}[builds.x86_64-linux]\nbinary = "a/b"`, "builds.x86_64-linux.binary is"],
      [`${head}[builds.x86_64-linux]\nchecksum_sha256 = "12"`, "checksum_sha256 is"],
      [`${head}[builds.x86_64-linux]\npie_verified = "yes"`, "pie_verified must be true or false"],
      [`${head}[builds."../x"]\n`, 'builds."../x" is not a name'],
      [`${head}[builds]\nx86_64-linux = 1`, "builds.x86_64-linux must be a table"],
      [`${head}[genomeBin.server]\ntcp_port_default = 0`, "tcp_port_default must be a port"],
      [`${head}[genomeBin.server]\ntcp_port_default = 1.5`, "tcp_port_default must be a port"],
      [`${head}[genomeBin.server]\nport_flag = "port"`, "genomeBin.server.port_flag is"],
      [`${head}[genomeBin.server]\nport_flag = "--p; rm"`, "genomeBin.server.port_flag is"],
      [`${head}[genomeBin.server]\ntcp_port_env = "A=B"`, "genomeBin.server.tcp_port_env is"],
      [`${head}[genomeBin.service]\nafter = ["a", "../b"]`, "genomeBin.service.after[1] is"],
      [`${head}[genomeBin.service]\nafter = "a"`, "after must be an array of texts"],
      [`${head}[provenance]\nbuilt_at = "yesterday"`, "provenance.built_at must be a moment"],
      [
        `${head}[compatibility]\ncapabilities = [${'"a",'.repeat(2049)}]`,
        "compatibility.capabilities has 2049 entries",
      ],
      ["[primal", "m.toml:1:"],
    ] as const
  ) {
    assert.throws(() => parseMetadata(text, "m.toml"), (error) => {
      assert.ok(error instanceof NetError && error.code === "usage", String(error));
      assert.ok(error.message.startsWith("m.toml"), error.message);
      assert.ok(error.message.includes(place), `${error.message} has no ${place}`);
      assert.ok(error.next !== undefined);
      return true;
    });
  }
});

Deno.test("parseMetadata() shows what a stranger wrote without what a terminal obeys", () => {
  assert.throws(
    () => parseMetadata('[primal]\nname = "a\\u001b[2J\\u009b\\u202e"\nversion = "1"', "m"),
    (error: Error) => /^[ -~…]+$/.test(error.message) && /\\u009b/.test(error.message),
  );
});

Deno.test("parseMetadata() takes nothing from prototypes", () => {
  const { primal } = parseMetadata(
    '[primal]\nname = "a"\nversion = "1"\n[primal.__proto__]\ndomain = "x"\n[__proto__]\nlicense = "y"',
    "m",
  );
  assert.deepEqual(primal, { name: "a", version: "1" });
});
