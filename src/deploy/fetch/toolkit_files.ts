/**
 * The text files that a fetch goes by. A toolkit without manifest takes those it lacks from the first
 * source that has one; files that are there are never changed.
 */
import { type NetError, systemDisk, toNetError, utf8 } from "../../base/mod.ts";
import { type Checksums, parseChecksums } from "../checksums.ts";
import { type Manifest, parseManifest } from "../manifest.ts";
import { type Metadata, parseMetadata } from "../metadata.ts";
import { parsePorts } from "../ports.ts";
import { parseSources, type SourceEntry } from "../sources.ts";
import { readTextWithin, TOOLKIT_FILES } from "../toolkit.ts";
import { type FetchSource, TEXT_BYTES_MAX } from "./source.ts";

/** What the files say; parsed, whichever side they are on. */
export class ToolkitFiles {
  /** Files that were brought and are not written yet, by relative path. */
  readonly #brought = new Map<string, string>();
  #donor: FetchSource | undefined;
  manifest: Manifest | undefined;
  /** Why no source could be asked for the manifest. */
  fault: NetError | undefined;
  checksums: Checksums = new Map();
  sources: ReadonlyMap<string, SourceEntry> = new Map();

  private constructor(readonly root: string, readonly signal: AbortSignal) {}

  /**
   * Reads the files at the top.
   *
   * @param sources Those that may fill up a toolkit without manifest.
   * @throws NetError `usage` for a file that cannot be understood.
   */
  static async load(
    root: string,
    sources: readonly FetchSource[],
    signal: AbortSignal,
  ): Promise<ToolkitFiles> {
    const files = new ToolkitFiles(root, signal);
    const { manifest, checksums, sources: sourcesFile, ports } = TOOLKIT_FILES;
    files.manifest = await files.#read(manifest, parseManifest);
    for (const source of files.manifest === undefined ? sources : []) {
      const text = await source.readText(manifest, signal).catch((error) => {
        signal.throwIfAborted();
        // Members that were named can do without; each then says what its sources are like.
        files.fault ??= toNetError(error, `Cannot read ${manifest} of ${source.name}`);
        return undefined;
      });
      if (text === undefined) continue;
      files.manifest = parseManifest(text, `${source.name} ${manifest}`);
      files.#brought.set(manifest, text);
      files.#donor = source;
      break;
    }
    files.checksums = await files.#read(checksums, parseChecksums) ?? new Map();
    files.sources = await files.#read(sourcesFile, parseSources) ?? new Map();
    // Only the verbs that start members read it, but it belongs to the folder.
    if (files.#donor !== undefined) await files.#read(ports, parsePorts);
    return files;
  }

  /** A member's metadata; `undefined` when there is none. */
  async metadata(member: string): Promise<Metadata | undefined> {
    return await this.#read(`${member}/metadata.toml`, parseMetadata);
  }

  /** Writes what was brought, and says what: relative paths. */
  async save(): Promise<readonly string[]> {
    const saved: string[] = [];
    for (const [path, text] of this.#brought) {
      const target = `${this.root}/${path}`;
      const folder = target.slice(0, target.lastIndexOf("/"));
      const part = `${folder}/.${path.split("/").at(-1)}.${crypto.randomUUID()}.part`;
      try {
        await Deno.mkdir(folder, { recursive: true });
        const file = await Deno.open(part, { createNew: true, write: true, mode: 0o644 });
        try {
          const bytes = utf8(text);
          let offset = 0;
          while (offset < bytes.length) offset += await file.write(bytes.subarray(offset));
          await file.sync();
        } finally {
          file.close();
        }
        await Deno.rename(part, target);
        systemDisk.syncFolder(folder);
      } catch (error) {
        await Deno.remove(part).catch(() => {});
        throw toNetError(error, `Cannot write ${target}`);
      }
      saved.push(path);
    }
    this.#brought.clear();
    return saved;
  }

  /** A file of the toolkit, else of the source that fills it up. */
  async #read<T>(path: string, parse: (text: string, name: string) => T): Promise<T | undefined> {
    const own = await readTextWithin(`${this.root}/${path}`, TEXT_BYTES_MAX);
    if (own !== undefined) return parse(own, `${this.root}/${path}`);
    const text = await this.#donor?.readText(path, this.signal);
    if (text === undefined) return undefined;
    const parsed = parse(text, `${this.#donor?.name} ${path}`);
    this.#brought.set(path, text);
    return parsed;
  }
}
