/** Where the bytes of a blob come from. */

/** Something bytes are read from; a `Deno.FsFile` is one. */
export interface ByteSource {
  /** Fills some of `into`; `null` at the end. */
  read(into: Uint8Array): Promise<number | null>;
}

/**
 * Reads from a stream of byte arrays; `close` lets go of it, cancelling what was not read.
 *
 * @example
 * ```ts
 * import { streamSource } from "./byte_source.ts";
 * const source = streamSource(new Blob(["abc"]).stream());
 * console.assert(await source.read(new Uint8Array(2)) === 2);
 * await source.close();
 * ```
 */
export function streamSource(
  stream: ReadableStream<Uint8Array>,
): ByteSource & { close(): Promise<void> } {
  const reader = stream.getReader();
  let rest: Uint8Array = new Uint8Array(0);
  return {
    read: async (into) => {
      while (rest.length === 0) {
        const next = await reader.read();
        if (next.done) return null;
        rest = next.value;
      }
      const piece = rest.subarray(0, into.length);
      into.set(piece);
      rest = rest.subarray(piece.length);
      return piece.length;
    },
    close: async () => {
      await reader.cancel().catch(() => {}); // Of a stream that failed; its error was seen by read.
      reader.releaseLock();
    },
  };
}

/** Reads from bytes in memory, which may lie in several parts. */
export function bytesByteSource(...parts: readonly Uint8Array[]): ByteSource {
  let [part, at] = [0, 0];
  return {
    read: (into) => {
      let length = 0;
      for (; part < parts.length && length < into.length; part++, at = 0) {
        const piece = parts[part]?.subarray(at, at + into.length - length) ?? new Uint8Array(0);
        into.set(piece, length);
        length += piece.length;
        at += piece.length;
        if (at < (parts[part]?.length ?? 0)) break;
      }
      return Promise.resolve(length === 0 ? null : length);
    },
  };
}
