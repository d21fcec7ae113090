/**
 * The list of chunks that lie in a file outside of the store, as text beside the store: what a get that was killed
 * goes on from. A line per chunk, appended when its bytes are written; the last line may be torn.
 *
 * Nothing is believed of it: every chunk is hashed when it is read.
 */

/** A chunk in a file. */
export interface LentPlace {
  readonly hash: Uint8Array<ArrayBuffer>;
  /** Where it begins. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/** What a list says. */
export interface LentList {
  /** Where the file is: at the first of these that is there. */
  readonly paths: readonly string[];
  readonly places: readonly LentPlace[];
}

/** Chunks of one list: as many as a manifest has. */
const PLACES_MAX = 8_192;
const PATHS_MAX = 4;

/** A line that says where the file is. */
export function formatLentPath(path: string): string {
  return `path ${JSON.stringify(path)}\n`;
}

/** A line that says where a chunk is. */
export function formatLentPlace({ hash, offset, size }: LentPlace): string {
  return `${hash.toHex()} ${offset} ${size}\n`;
}

/** Reads a list; lines that say nothing are left out. */
export function parseLentList(text: string): LentList {
  const paths: string[] = [];
  const places: LentPlace[] = [];
  // What is behind the last end of a line was not written to its end.
  for (const line of text.split("\n").slice(0, -1)) {
    const path = parsePath(line);
    if (path !== undefined && paths.length < PATHS_MAX) paths.push(path);
    const place = parsePlace(line);
    if (place !== undefined && places.length < PLACES_MAX) places.push(place);
  }
  return { paths, places };
}

function parsePath(line: string): string | undefined {
  if (!line.startsWith("path ")) return undefined;
  try {
    const path: unknown = JSON.parse(line.slice(5));
    return typeof path === "string" ? path : undefined;
  } catch {
    return undefined; // Not a line of ours.
  }
}

function parsePlace(line: string): LentPlace | undefined {
  const [, hex, offsetText, sizeText] = /^([0-9a-f]{64}) (\d{1,15}) (\d{1,8})$/.exec(line) ?? [];
  if (hex === undefined) return undefined;
  return { hash: Uint8Array.fromHex(hex), offset: Number(offsetText), size: Number(sizeText) };
}
