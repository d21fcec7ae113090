/** CANCEL frames (`nrpc.md` 2, 10): sent at once, or when their link has room again. */
import { type FrameLink, NO_LINK_ROOM } from "../link/link.ts";
import { Dispatch, FRAME_BYTES, writeFrameHead } from "../wire/mod.ts";
import { CANCELS_WAITING_MAX } from "./limits.ts";

/** Sends cancels. */
export class CancelFrames {
  /** Cancels that wait for room. */
  waiting = 0;
  /** Cancels that never left: too many waited, or their link ended. */
  dropped = 0;

  /** Tells the server that nobody waits for a call. */
  send(link: FrameLink, callLow: number, callHigh: number): void {
    if (trySend(link, callLow, callHigh)) return;
    if (this.waiting >= CANCELS_WAITING_MAX) {
      this.dropped += 1;
      return;
    }
    this.waiting += 1;
    void this.#sendLater(link, callLow, callHigh);
  }

  async #sendLater(link: FrameLink, callLow: number, callHigh: number): Promise<void> {
    try {
      do await link.ready(); while (!trySend(link, callLow, callHigh));
    } catch {
      // The link has ended, and with it the call at the server.
      this.dropped += 1;
    } finally {
      this.waiting -= 1;
    }
  }
}

function trySend(link: FrameLink, callLow: number, callHigh: number): boolean {
  const at = link.reserve(FRAME_BYTES);
  if (at === NO_LINK_ROOM) return false;
  writeFrameHead(link.bytes, at, Dispatch.cancel, link.route, callLow, callHigh, 0);
  return true;
}
