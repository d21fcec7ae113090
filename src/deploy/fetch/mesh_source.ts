/**
 * Members from the mesh: the BLAKE3 of an executable is its address there, so whoever has put it, this node
 * finds it. Nothing but the checksum has to be trusted.
 */
import { NetError } from "../../base/mod.ts";
import { PassingError } from "./retry.ts";
import type { FetchSource } from "./source.ts";

/**
 * Opens a blob of the mesh.
 *
 * @param address `b3:` and 64 hexadecimal digits.
 * @param offset Bytes that are left out at its beginning.
 * @throws NetError `not_found` when nobody has it, `not_running` without a node, others.
 */
export type OpenBlob = (
  address: string,
  offset: number,
  signal: AbortSignal,
) => Promise<ReadableStream<Uint8Array>>;

/** A source over the blobs of the running node and its peers. */
export function meshSource(openBlob: OpenBlob): FetchSource {
  return {
    name: "mesh",
    readText: () => Promise.resolve(undefined),
    candidates: ({ member, platform, blake3 }) => {
      if (blake3 === undefined) {
        const error = new NetError(
          "not_found",
          `Cannot find ${member} in the mesh: there is no BLAKE3 of it for ${platform.key}`,
          { next: "add it to checksums.toml, or name another --source" },
        );
        return Promise.reject(error);
      }
      const address = `b3:${blake3}`;
      return Promise.resolve([{
        place: `mesh:${address}`,
        open: async ({ offset }, signal) => {
          const opened = { start: offset, size: undefined, validator: address };
          try {
            return { ...opened, body: await openBlob(address, offset, signal) };
          } catch (error) {
            signal.throwIfAborted();
            // There may be nothing behind what is here.
            if (offset === 0) throw error;
            throw new PassingError(`mesh:${address}: nothing from byte ${offset} on`, {
              isFromStart: true,
              cause: error,
            });
          }
        },
      }]);
    },
  };
}
