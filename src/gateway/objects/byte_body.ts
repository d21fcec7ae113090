/**
 * Bodies of answers whose bytes go straight into the room of their reader: a stream of arrays would leave as many
 * bytes behind as it carries.
 */

/** Where the bytes of a body come from. */
export interface ByteBodySource {
  /** The next bytes, valid until the next call; `undefined` at the end. */
  next(): Promise<Uint8Array | undefined>;
  /** Nobody reads any more. */
  cancel(reason: unknown): Promise<void> | void;
}

/** What goes to a reader that brings no room. */
const PIECE_BYTES = 256 * 1024;

/** A body that asks for bytes when its reader does, and never before. */
export function byteBody(source: ByteBodySource): ReadableStream<Uint8Array<ArrayBuffer>> {
  let rest: Uint8Array = new Uint8Array(0);
  return new ReadableStream({
    type: "bytes",
    pull: async (controller) => {
      while (rest.length === 0) {
        const next = await source.next();
        if (next === undefined) {
          controller.close();
          controller.byobRequest?.respond(0);
          return;
        }
        rest = next;
      }
      const view = controller.byobRequest?.view;
      const piece = rest.subarray(0, view?.byteLength ?? PIECE_BYTES);
      rest = rest.subarray(piece.length);
      if (!view) return controller.enqueue(new Uint8Array(piece));
      new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(piece);
      controller.byobRequest?.respond(piece.length);
    },
    cancel: (reason) => source.cancel(reason),
  }, { highWaterMark: 0 });
}
