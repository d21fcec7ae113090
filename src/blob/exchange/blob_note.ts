/**
 * What a folder of chunks says of a blob: `net-blobs/<address>`, a line of JSON and a line for each chunk. The
 * layouts of other programs have no place for it, and they look at no such folder.
 *
 * It comes from outside: chunks are checked by their hashes, the blob by its address, and what is longer than any
 * that we write is refused.
 */
import * as v from "../../schema/mod.ts";
import { fromHex, isMissing, NetError, toHex, toNetError } from "../../base/mod.ts";
import { syncFolder } from "../file_chunk_store.ts";
import type { ChunkRef } from "../blob_ref.ts";
import { CHUNK_BYTES_MAX, HASH_BYTES } from "../limits.ts";
import type { BlobKind } from "../queries.ts";

const FOLDER = "net-blobs";
/** A reference takes up to 420 KB, twice that in hex. */
const HEADER_CHARACTERS_MAX = 1_000_000;
const CHUNK_CHARACTERS_MAX = 80;
/** Chunks of a blob: what 100 bytes of memory each allow. 4 TiB in chunks of 4 MiB. */
export const NOTE_CHUNKS_MAX = 1_000_000;
/** Notes of a folder that are looked at. */
export const NOTES_MAX = 100_000;

/** A blob as its note says. */
export interface BlobNote {
  readonly address: Uint8Array;
  /** The encoded reference. */
  readonly blobRef: Uint8Array;
  readonly kind: BlobKind;
  readonly label: string;
}

const HEADER = v.object({
  version: v.literal(1),
  ref: v.pipe(v.string(), v.regex(/^(?:[0-9a-f]{2})+$/), v.maxLength(HEADER_CHARACTERS_MAX)),
  kind: v.picklist(["blob", "directory"]),
  label: v.pipe(v.string(), v.maxLength(255)),
});

/** Writes a note, durably; its chunks as they come. */
export async function writeBlobNote(
  folder: string,
  { address, blobRef, kind, label }: BlobNote,
  chunks: AsyncIterable<readonly ChunkRef[]>,
): Promise<void> {
  const path = `${folder}/${FOLDER}/${toHex(address)}`;
  try {
    await Deno.mkdir(`${folder}/${FOLDER}`, { recursive: true, mode: 0o700 });
    {
      using file = await Deno.open(`${path}.tmp`, {
        create: true,
        truncate: true,
        write: true,
        mode: 0o600,
      });
      const write = async (text: string) => {
        const bytes = new TextEncoder().encode(text);
        for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      };
      await write(`${JSON.stringify({ version: 1, ref: toHex(blobRef), kind, label })}\n`);
      for await (const page of chunks) {
        await write(page.map(({ hash, size }) => `${toHex(hash)} ${size}\n`).join(""));
      }
      await file.sync();
    }
    await Deno.rename(`${path}.tmp`, path);
    await syncFolder(`${folder}/${FOLDER}`);
  } catch (error) {
    throw toNetError(error, `Cannot write "${path}"`);
  }
}

/** Addresses of the blobs that a folder has notes of. */
export async function listBlobNotes(folder: string): Promise<Uint8Array[]> {
  const addresses: Uint8Array[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(`${folder}/${FOLDER}`)) {
      const address = isFile ? fromHex(name, HASH_BYTES) : undefined;
      if (address === undefined) continue;
      addresses.push(address);
      if (addresses.length > NOTES_MAX) {
        throw new NetError(
          "limit",
          `Cannot import "${folder}": it has more than ${NOTES_MAX} blobs`,
          {
            next: "name some of them",
          },
        );
      }
    }
  } catch (error) {
    if (!isMissing(error)) throw toNetError(error, `Cannot read folder "${folder}"`);
  }
  return addresses;
}

/**
 * Reads a note, and the chunks it lists.
 *
 * @returns `undefined` when there is none.
 * @throws NetError `integrity` for what is no note.
 */
export async function readBlobNote(
  folder: string,
  address: Uint8Array,
): Promise<{ readonly note: BlobNote; readonly chunks: ChunkRef[] } | undefined> {
  const path = `${folder}/${FOLDER}/${toHex(address)}`;
  try {
    const lines = linesOf(await Deno.open(path));
    const header = parseHeader((await lines.next()).value);
    if (header === undefined) throw notOurs(path, "its first line is none of ours");
    const chunks: ChunkRef[] = [];
    for await (const line of lines) {
      const chunk = parseChunk(line);
      if (chunk === undefined) throw notOurs(path, `line ${chunks.length + 2} is no chunk`);
      if (chunks.push(chunk) > NOTE_CHUNKS_MAX) throw notOurs(path, "it lists too many chunks");
    }
    const { ref, kind, label } = header;
    return { note: { address, blobRef: Uint8Array.fromHex(ref), kind, label }, chunks };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw toNetError(error, `Cannot read "${path}"`);
  }
}

/** Lines of a file, which is closed at the end; a line that is too long ends as a wrong one. */
async function* linesOf(file: Deno.FsFile): AsyncGenerator<string, undefined> {
  let rest = "";
  for await (const text of file.readable.pipeThrough(new TextDecoderStream())) {
    rest += text;
    let start = 0;
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n", start)) {
      yield rest.slice(start, end);
      start = end + 1;
    }
    rest = rest.slice(start);
    if (rest.length > HEADER_CHARACTERS_MAX + 1_000) break;
  }
  if (rest !== "") yield rest;
}

function parseHeader(line: string | undefined): v.InferOutput<typeof HEADER> | undefined {
  try {
    const parsed = v.safeParse(HEADER, JSON.parse(line ?? ""));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}

function parseChunk(line: string): ChunkRef | undefined {
  const [, key, digits] = line.length > CHUNK_CHARACTERS_MAX
    ? []
    : /^([0-9a-f]{64}) (\d{1,9})$/.exec(line) ?? [];
  const hash = key === undefined ? undefined : fromHex(key, HASH_BYTES);
  const size = Number(digits);
  return hash === undefined || size > CHUNK_BYTES_MAX ? undefined : { hash, size };
}

function notOurs(path: string, reason: string): NetError {
  return new NetError("integrity", `Cannot read "${path}": ${reason}`, {
    next: "export the blob again",
  });
}
