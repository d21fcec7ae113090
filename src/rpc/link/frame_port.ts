/**
 * Where the frames of a link leave: one sending half of a stream, or this node's own other end. Frames are
 * events, each behind its length (`wire.md` 6).
 */

/** Takes packets of frames. */
export interface FramePort {
  /** Bytes of framed events that one packet holds, now and later: a relay may come in between. */
  readonly payloadBytesMax: number;
  /**
   * Sends one packet: `count` events that lie framed in `length` bytes from `start` on, copied before this
   * returns.
   *
   * @returns False when there is no room now.
   */
  trySendFramed(bytes: Uint8Array, start: number, length: number, count: number): boolean;
  /** True when such a packet may leave and leaves room for what is more urgent. */
  canSendBulk(length: number): boolean;
  /** Resolves when sending is worth another try; rejects when the port has ended. */
  ready(): Promise<void>;
}
