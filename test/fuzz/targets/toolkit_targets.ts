/** What the files of a toolkit say: other people write them. */
import assert from "node:assert/strict";
import { type ErrorCode, NetError, utf8 } from "../../../src/base/mod.ts";
import {
  executablePaths,
  isFileName,
  isMemberName,
  metadataPath,
  parseChecksums,
  parseManifest,
  parseMetadata,
  parseOrigin,
  parsePorts,
  parseReleases,
  parseSources,
  platformOf,
  readExecutableHead,
  requireExecutableFor,
} from "../../../src/deploy/mod.ts";
import type { CreateTarget, FuzzTarget } from "../fuzz.ts";

const SUM = "0123456789abcdef".repeat(4);
const decoder = new TextDecoder();
const platform = platformOf("x86_64");

/** A reader that answers, or refuses with an error for the user. */
function textTarget(
  texts: readonly string[],
  read: (text: string) => unknown,
  code: ErrorCode = "usage",
): FuzzTarget {
  return {
    corpus: texts.map(utf8),
    growth: { factor: 64, base: 1_024 },
    feed: (bytes) => {
      try {
        return read(decoder.decode(bytes));
      } catch (error) {
        assert.ok(error instanceof NetError && error.code === code, String(error));
        assert.ok(error.message.length < 500, error.message);
        assert.ok(error.next !== undefined);
        return undefined;
      }
    },
  };
}

/** Paths made of a name stay below the folder. */
function checkName(name: string, binary?: string): void {
  assert.ok(isMemberName(name));
  const paths = [metadataPath("/k", name), ...executablePaths("/k", name, platform, binary)];
  for (const path of paths) {
    assert.ok(path.startsWith("/k/") && !/\/\.|\/\/|\0/.test(path), path);
    assert.ok(path.split("/").length <= 5, path);
  }
}

const METADATA = [
  `[primal]\nname = "a"\nversion = "1.0"\ndomain = "d"\n[builds.x86_64-linux]\nbinary = "a_b"\nchecksum_sha256 = "${SUM}"\n`,
  '[primal]\nname = "b-c"\nversion = "1"\n[genomeBin.server]\ntcp_port_default = 9100\nport_flag = "--port"\n[genomeBin.service]\nafter = ["a"]\n',
  `primal = {name = "x", version = "2", architecture = "x86_64-linux", checksum_sha256 = "${SUM}"}\n[provenance]\nbuilt_at = 2026-01-01\n`,
];

const MANIFEST = [
  '[meta]\ngenerated = "2026-01-01T00:00:00Z"\n[primals.a]\ndefault_port = 9100\nbuilds = ["x86_64-linux"]\n',
  '[primals.a]\n[springs.b]\nbinary = "b_x"\n[compositions.t]\nprimals = ["a", "b"]\n',
];

/** Decoders of toolkits, by name. */
export const TOOLKIT_TARGETS: Readonly<Record<string, CreateTarget>> = {
  parseMetadata: () =>
    textTarget(METADATA, (text) => {
      const metadata = parseMetadata(text, "m");
      const { name } = metadata.primal;
      for (const { binary } of metadata.builds.values()) checkName(name, binary);
      for (const other of metadata.genomeBin?.service?.after ?? []) checkName(other);
      return metadata;
    }),
  parseManifest: () =>
    textTarget(MANIFEST, (text) => {
      const manifest = parseManifest(text, "m");
      for (const [name, { binary }] of manifest.primals) checkName(name, binary);
      for (const members of manifest.compositions.values()) {
        for (const member of members) checkName(member);
      }
      return manifest;
    }),
  parsePorts: () =>
    textTarget(['A_PORT=1\nB="${B:-2}"\n', "export C='65535' # c\n\n#\nfoo() {\n"], (text) => {
      const read = parsePorts(text);
      for (const [name, port] of read.ports) {
        assert.ok(/^\w+$/.test(name) && Number.isInteger(port) && port > 0 && port < 65_536);
      }
      return read;
    }),
  parseSources: () =>
    textTarget(
      [
        '[sources.a]\nrepo = "own/a"\ntag_pattern = "v{version}"\nprivate = true\n',
        '[sources.b]\nrepo = "o/b.c"\nbinary_name = "b_x"\nassets = ["b"]\n',
      ],
      (text) => {
        const entries = parseSources(text, "s");
        for (const [name, { repo, binaryName, tagPattern = "v" }] of entries) {
          checkName(name, binaryName);
          const url = new URL(`https://host/repos/${repo}/releases/tags/${tagPattern}`);
          assert.ok(url.pathname.startsWith("/repos/") && !url.search && !url.hash, url.href);
        }
        return entries;
      },
    ),
  parseChecksums: () =>
    textTarget(
      [`[primals.a]\n"x86_64-unknown-linux-musl" = "${SUM}"\n[springs.b]\nc = ""\n`],
      (text) => {
        const checksums = parseChecksums(text, "c");
        for (const sums of checksums.values()) {
          for (const sum of sums.values()) assert.match(sum, /^[0-9a-f]{64}$/);
        }
        return checksums;
      },
    ),
  parseReleases: () =>
    textTarget(
      [
        '[{"tag_name":"v1","draft":false,"assets":[{"name":"a","browser_download_url":"https://h/a"}]}]',
        '{"tag_name":"2026.1","assets":[{"name":"b-x","browser_download_url":"http://h/b"}]}',
      ],
      (text) => {
        const releases = parseReleases(text, "github:a/b");
        for (const { assets } of releases) {
          for (const [name, url] of assets) {
            assert.ok(isFileName(name) && new URL(url).protocol === "https:");
          }
        }
        return releases;
      },
      "network",
    ),
  parseOrigin: () =>
    textTarget(
      [`{"place":"/a","validator":"\\"1\\"","size":7}`, '{"place":"https://h/a"}'],
      parseOrigin,
    ),
  readExecutableHead: () => ({
    corpus: [
      Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 62, 0),
      utf8("#!/bin/sh\n"),
    ],
    feed: (bytes) => {
      const head = readExecutableHead(bytes);
      try {
        requireExecutableFor(platform, head, "f");
        assert.ok(head.kind === "script" || (head.kind === "elf" && head.machine === 62));
      } catch (error) {
        assert.ok(error instanceof NetError && error.code === "integrity", String(error));
        return undefined;
      }
      return head;
    },
  }),
};
