/** A server that gives back what it is sent: what links need on their other side, and no engine. */
import {
  Dispatch,
  FRAME_BYTES,
  FrameHead,
  type FrameSink,
  type LinkEnd,
  NO_HEADERS,
  NO_LINK_ROOM,
  type RefusedFrame,
  RequestBody,
  responseLength,
  type ServerPeer,
  type ServerSink,
  Status,
  writeFrameHead,
  writeResponse,
} from "../../../src/rpc/mod.ts";

/** Echoes requests of all callers. */
export class EchoSink implements ServerSink {
  readonly peers: ServerPeer[] = [];
  readonly ends: LinkEnd[] = [];
  readonly refused: RefusedFrame[] = [];
  requests = 0;
  /** Answers for which there was no way. */
  unanswered = 0;
  isSilent = false;

  onPeer(peer: ServerPeer): FrameSink {
    this.peers.push(peer);
    const head = new FrameHead();
    const request = new RequestBody();
    return {
      onFrame: (bytes) => {
        if (!head.read(bytes) || head.dispatch !== Dispatch.request) return;
        if (!request.read(bytes, FRAME_BYTES)) return;
        this.requests += 1;
        if (this.isSilent) return;
        const { callLow, callHigh, originLow, originHigh } = head;
        this.#answer(peer, originLow, originHigh, callLow, callHigh, request.body.slice());
      },
      onRefused: (frame) => void this.refused.push(frame),
      onEnd: (reason) => void this.ends.push(reason),
    };
  }

  #answer(
    peer: ServerPeer,
    originLow: number,
    originHigh: number,
    callLow: number,
    callHigh: number,
    body: Uint8Array,
  ): void {
    const link = peer.replies(originLow, originHigh);
    if (link === undefined) {
      this.unanswered += 1;
      return;
    }
    const length = responseLength(NO_HEADERS, body);
    if (FRAME_BYTES + length > link.frameBytesMax) {
      const bytes = new Uint8Array(length);
      writeResponse(bytes, 0, Status.ok, NO_HEADERS, body);
      link.sendLarge(Dispatch.response, callLow, callHigh, 0, bytes).catch(() => {});
      return;
    }
    const start = link.reserve(FRAME_BYTES + length);
    if (start === NO_LINK_ROOM) {
      this.unanswered += 1;
      return;
    }
    const at = writeFrameHead(
      link.bytes,
      start,
      Dispatch.response,
      link.route,
      callLow,
      callHigh,
      0,
    );
    writeResponse(link.bytes, at, Status.ok, NO_HEADERS, body);
  }
}
