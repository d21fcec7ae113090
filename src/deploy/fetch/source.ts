/** What every source of members can do: a folder, a web server, a repository's releases, the mesh. */
import type { Platform } from "../platform.ts";

/** Which executable is wanted. */
export interface WantedFile {
  readonly member: string;
  /** Names of its executable, best first; the member's is among them. */
  readonly binaries: readonly string[];
  readonly platform: Platform;
  /** Target of the build when metadata or checksums say it. */
  readonly target: string | undefined;
  /** BLAKE3 when a file says it: 64 lowercase hexadecimal digits. */
  readonly blake3: string | undefined;
  /** Tag of the release when the version is known. */
  readonly tag: string | undefined;
}

/** Where to go on. */
export interface OpenFrom {
  /** Bytes that are here already. */
  readonly offset: number;
  /** What the file was then, in the words of its source; needed unless a checksum decides in the end. */
  readonly validator: string | undefined;
}

/** A file that gives bytes. */
export interface OpenedFile {
  /** Offset of the first byte that comes; 0 where the source could not go on. */
  readonly start: number;
  /** Bytes of the whole file; `undefined` when the source does not say. */
  readonly size: number | undefined;
  readonly validator: string | undefined;
  readonly body: ReadableStream<Uint8Array>;
}

/** A file somewhere. */
export interface RemoteFile {
  /** Path or address, free of secrets. */
  readonly place: string;
  /**
   * Opens it; whoever calls reads the body to its end or cancels it.
   *
   * @throws NetError `not_found` when there is none, PassingError for what may pass, other NetErrors.
   */
  open(from: OpenFrom, signal: AbortSignal): Promise<OpenedFile>;
}

/** A place that has members. */
export interface FetchSource {
  /** As the user may write it. */
  readonly name: string;
  /**
   * A small text file of the toolkit; `undefined` when the source has none.
   *
   * @param path Relative, made of checked names.
   */
  readText(path: string, signal: AbortSignal): Promise<string | undefined>;
  /** Places where the executable may be, best first; not each of them need exist. */
  candidates(wanted: WantedFile, signal: AbortSignal): Promise<readonly RemoteFile[]>;
}

/** Longest text file of a toolkit, in bytes. */
export const TEXT_BYTES_MAX = 1 << 20;

/** Names of an executable among the assets of a release: `net-x86_64-unknown-linux-gnu` and others. */
export function assetNames({ binaries, platform, target }: WantedFile): readonly string[] {
  const endings = [...(target === undefined ? [] : [target]), ...platform.triples];
  const suffixes = [...endings, platform.key, platform.arch].map((ending) => `-${ending}`);
  return distinct(
    [...suffixes, ""].flatMap((suffix) => binaries.map((name) => `${name}${suffix}`)),
  );
}

/** Relative paths of an executable in a folder that looks like a toolkit. */
export function toolkitPaths(wanted: WantedFile): readonly string[] {
  const { member, binaries, platform, target } = wanted;
  const endings = [...(target === undefined ? [] : [target]), platform.arch, ...platform.triples];
  const folders = [...endings.map((ending) => `primals/${ending}`), "primals", member];
  return distinct([
    ...folders.flatMap((folder) => binaries.map((name) => `${folder}/${name}`)),
    ...assetNames(wanted),
  ]);
}

function distinct(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)];
}
