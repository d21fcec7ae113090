/** Our own metadata and manifest are what our own readers, and everyone else's, understand. */
import assert from "node:assert/strict";
import {
  assetName,
  checksumsText,
  manifestText,
  metadataText,
  portsText,
  type ReleaseFacts,
} from "../../scripts/release/texts.ts";
import {
  parseChecksums,
  parseManifest,
  parseMetadata,
  parsePorts,
  portOf,
} from "../../src/deploy/mod.ts";

const FACTS: ReleaseFacts = {
  name: "net",
  version: "1.2.3",
  domain: "network",
  license: "Apache-2.0",
  description: 'says "hello"',
  capabilities: ["blob.put", "health.check"],
  builtFrom: "0123abc",
  builtAt: "2026-11-28T16:29:53Z",
  key: "x86_64-linux",
  target: "x86_64-unknown-linux-gnu",
  isPie: true,
  sha256: "ab".repeat(32),
  blake3: "cd".repeat(32),
};

Deno.test("V-c: our metadata says the port, the flags and the build as the standard has them", () => {
  const metadata = parseMetadata(metadataText(FACTS), "metadata.toml");
  assert.deepEqual(metadata.primal, {
    name: "net",
    version: "1.2.3",
    domain: "network",
    description: 'says "hello"',
    license: "Apache-2.0",
  });
  assert.deepEqual(metadata.compatibility?.capabilities, FACTS.capabilities);
  assert.deepEqual(metadata.builds.get("x86_64-linux"), {
    binary: "net",
    checksumSha256: FACTS.sha256,
    checksumBlake3: FACTS.blake3,
    target: FACTS.target,
    pieVerified: true,
    staticLinked: false,
  });
  const server = metadata.genomeBin?.server;
  assert.equal(server?.tcpPortEnv, "NET_PORT");
  assert.equal(server?.tcpPortDefault, 9900);
  assert.equal(server?.portFlag, "--port");
});

Deno.test("V-c: our manifest entry, checksums, port and asset name agree with it", () => {
  const manifest = parseManifest(manifestText(FACTS), "manifest.lock");
  assert.equal(manifest.primals.get("net")?.defaultPort, 9900);
  assert.deepEqual(manifest.compositions.get("mesh"), ["net", "net", "net"]);
  const checksums = parseChecksums(checksumsText(FACTS), "checksums.toml");
  assert.equal(checksums.get("net")?.get(FACTS.target), FACTS.blake3);
  assert.equal(portOf(parsePorts(portsText(FACTS)), "net"), 9900);
  assert.equal(assetName(FACTS), "net-x86_64-unknown-linux-gnu");
});
