/** Blobs of the running node as streams, for `net fetch --source mesh`. */
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import type { SharedFlags } from "./flags.ts";

const PIECE_BYTES = 256 * 1024;

/** Opens blobs through the node that the flags name; see `OpenBlob` of `src/deploy`. */
export function blobOpener(context: NetContext, flags: SharedFlags) {
  return async (
    address: string,
    offset: number,
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array>> => {
    const node = await connectNode(context, flags, signal);
    const folder = await Deno.makeTempDir({ prefix: "net-fetch-" });
    const abort = new AbortController();
    let connection: Deno.UnixConn | undefined;
    const clean = async () => {
      abort.abort();
      connection?.close();
      connection = undefined;
      await Deno.remove(folder, { recursive: true });
      await node.close();
    };
    try {
      const socket = `${folder}/out`;
      const listener = Deno.listen({ transport: "unix", path: socket });
      const range = offset === 0 ? {} : { range: `${offset}-` };
      const call = node.call("blob.cat", { target: address, socket, ...range }, {
        signal: AbortSignal.any([signal, abort.signal]),
      });
      // A call that fails may never connect; whoever comes first ends the listening, once.
      const accepted = listener.accept();
      const failed = call.then(() => {}, () => {});
      try {
        connection = await Promise.race([accepted, call.then(() => accepted)]);
      } finally {
        listener.close();
        accepted.catch(() => {});
      }
      const piece = new Uint8Array(PIECE_BYTES);
      const read = async () => {
        const count = await connection?.read(piece) ?? null;
        // Why there is no more, the call says.
        if (count === null) await call;
        return count === null ? undefined : piece.slice(0, count);
      };
      // The first bytes tell whether there are any.
      let next = await read();
      return new ReadableStream<Uint8Array>({
        pull: async (controller) => {
          try {
            if (next === undefined) {
              await clean();
              return controller.close();
            }
            controller.enqueue(next);
            next = await read();
          } catch (error) {
            await failed;
            await clean();
            controller.error(error);
          }
        },
        cancel: async () => {
          await clean();
          await failed;
        },
      }, { highWaterMark: 0 });
    } catch (error) {
      await clean();
      throw error;
    }
  };
}
