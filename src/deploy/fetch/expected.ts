/** What a member's executable must be: its checksums, from all files that say one. */
import { NetError } from "../../base/mod.ts";
import type { Checksums } from "../checksums.ts";
import type { Metadata } from "../metadata.ts";
import type { Platform } from "../platform.ts";
import type { Digests } from "./part_file.ts";

/** A checksum with the place that says it. */
export interface ExpectedSum {
  readonly kind: keyof Digests;
  /** 64 lowercase hexadecimal digits. */
  readonly hex: string;
  /** File and key, for messages. */
  readonly from: string;
}

/** What the files of a toolkit say about one executable. */
export interface Expected {
  readonly target: string | undefined;
  readonly sums: readonly ExpectedSum[];
}

/**
 * Collects a member's checksums: SHA-256 and BLAKE3 of its metadata, BLAKE3 of `checksums.toml`.
 *
 * @param names Names of the executable, best first; `checksums.toml` goes by them.
 * @throws NetError `not_found` when its metadata has builds, but none for the platform.
 */
export function expectedOf(
  member: string,
  names: readonly string[],
  platform: Platform,
  files: { readonly metadata: Metadata | undefined; readonly checksums: Checksums },
): Expected {
  const { metadata, checksums } = files;
  const build = metadata?.builds.get(platform.key);
  if (metadata !== undefined && metadata.builds.size > 0 && build === undefined) {
    throw new NetError("not_found", `${member} has no build for ${platform.key}`, {
      next: `choose one with --arch: ${[...metadata.builds.keys()].join(", ")}`,
    });
  }
  const byTarget = names.map((name) => checksums.get(name)).find((entry) => entry !== undefined);
  const target = build?.target ?? platform.triples.find((triple) => byTarget?.has(triple));
  const place = `${member}/metadata.toml builds.${platform.key}`;
  const sums: ExpectedSum[] = [];
  const add = (kind: ExpectedSum["kind"], hex: string | undefined, from: string) => {
    if (hex !== undefined) sums.push({ kind, hex, from });
  };
  add("sha256", build?.checksumSha256, `${place}.checksum_sha256`);
  add("blake3", build?.checksumBlake3, `${place}.checksum_blake3`);
  if (target !== undefined) {
    add("blake3", byTarget?.get(target), `checksums.toml "${target}"`);
  }
  // The one checksum there was before builds had their own: of which machine nobody knows, so it counts
  // only where no build says anything.
  const hasOwn = [...metadata?.builds.values() ?? []].some(({ checksumSha256, checksumBlake3 }) =>
    checksumSha256 !== undefined || checksumBlake3 !== undefined
  );
  if (!hasOwn) {
    add(
      "sha256",
      metadata?.provenance?.checksumSha256,
      `${member}/metadata.toml provenance.checksum_sha256`,
    );
  }
  return { target, sums };
}

/** The first checksum that `digests` does not have; `undefined` when all are right. */
export function mismatchOf(
  { sums }: Expected,
  digests: Digests,
): ExpectedSum | undefined {
  return sums.find(({ kind, hex }) => digests[kind] !== hex);
}
