/**
 * The ticket to join with, from wherever the user keeps it; it never enters a message
 * (`decisions.md` 2). The mesh secret's file is read by `core/crypto`.
 */
import { NetError } from "../base/mod.ts";

/** A ticket is below 1 KiB; anything far larger is not one, and is not read to its end. */
const TICKET_TEXT_BYTES_MAX = 16 * 1024;

/** Where {@linkcode readTicketText} reads from. */
export interface SecretSources {
  /** Reads at most `bytesMax` bytes of standard input. */
  readStdin(bytesMax: number): Promise<Uint8Array>;
  /** Reads at most `bytesMax` bytes of a file. */
  readFile(path: string, bytesMax: number): Promise<Uint8Array>;
}

/**
 * The ticket behind `--join`: a word, `-` for standard input, or `@FILE`.
 *
 * @throws NetError `usage` when the source cannot be read or holds nothing.
 */
export async function readTicketText(value: string, sources: SecretSources): Promise<string> {
  if (value !== "-" && !value.startsWith("@")) return value.trim();
  const path = value.slice(1);
  const where = value === "-" ? "standard input" : `"${path}"`;
  let bytes: Uint8Array;
  try {
    bytes = value === "-"
      ? await sources.readStdin(TICKET_TEXT_BYTES_MAX)
      : await sources.readFile(path, TICKET_TEXT_BYTES_MAX);
  } catch (error) {
    throw new NetError("usage", `Cannot read ticket from ${where}: ${messageOf(error)}`, {
      cause: error,
      next: "give the ticket as --join @FILE, --join - or NET_TICKET",
    });
  }
  const text = new TextDecoder().decode(bytes).trim();
  if (text === "") {
    throw new NetError("usage", `Cannot read ticket from ${where}: it is empty`, {
      next: "print a ticket on the other node with net node ticket",
    });
  }
  return text;
}

/** Reads the beginning of a file, at most `bytesMax` bytes. */
export async function readUpTo(path: string, bytesMax: number): Promise<Uint8Array> {
  using file = await Deno.open(path, { read: true });
  return await readSome(file, bytesMax);
}

/** Reads from `source` to its end, at most `bytesMax` bytes. */
export async function readSome(
  source: { read(into: Uint8Array): Promise<number | null> },
  bytesMax: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(bytesMax);
  let length = 0;
  while (length < bytesMax) {
    const count = await source.read(bytes.subarray(length));
    if (count === null) break;
    length += count;
  }
  return bytes.subarray(0, length);
}

function messageOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  return error instanceof Error ? error.message : String(error);
}
