/**
 * The requester's side of one transfer: asks one peer for one chunk, once (`dataforts.md` 12).
 *
 * A request is never sent again on its stream id: a holder that heard both would answer twice on it.
 * Trying again is the caller's business, with a new id.
 */
import { type Clock, equalBytes } from "../base/mod.ts";
import { blake3 } from "../core/crypto/mod.ts";
import type { EndReceiving, MeshLink, ReceiveStreamHandler } from "../core/transport/mod.ts";
import { ReplyAssembly } from "./_reply_assembly.ts";
import { REPLY_WINDOW_BYTES, TRANSFER_STALL_MS } from "./limits.ts";
import type { TransferCounters } from "./transfer_counters.ts";
import type { OpenStreamEntryOptions, TransferRegistry } from "./transfer_registry.ts";
import { encodeTransferRequest, TRANSFER_SUBPROTOCOL, transferStreamId } from "./transfer_wire.ts";

/** How one attempt ended. */
export type AttemptResult =
  | { readonly kind: "chunk"; readonly bytes: Uint8Array }
  /** The peer does not have it. */
  | { readonly kind: "not_found" }
  /** No header, or no progress, in time. */
  | { readonly kind: "silent" | "stalled" }
  /** The holder gave up, or there is no session with it. */
  | { readonly kind: "reset" | "disconnected" }
  /** It broke the rules or sent other bytes than it was asked for. */
  | { readonly kind: "malformed" | "wrong_hash" };

/** Where chunks come in, and who verifies them. */
export interface ChunkBuffers {
  /** Room for a chunk, of that length or more. */
  take(length: number): Uint8Array;
  /**
   * BLAKE3 of a chunk in such a room.
   *
   * @param wanted What it should be.
   */
  hash(bytes: Uint8Array, wanted: Uint8Array): Promise<Uint8Array>;
}

/** One attempt. */
export interface AttemptRequest {
  readonly peer: bigint;
  readonly hash: Uint8Array;
  /** What the chunk must measure, if known. */
  readonly expectedBytes?: number;
  /** The most it may measure; 16 MiB when left out. */
  readonly bytesMax?: number;
  readonly headerPatienceMs: number;
  /** New arrays, hashed in line, when left out. */
  readonly buffers?: ChunkBuffers;
  /** What the registry tells of it beside. */
  readonly label?: Pick<OpenStreamEntryOptions, "bandwidthClass" | "pausedMs" | "getId">;
  /** Told the bytes of this attempt that are in place. */
  readonly onBytes?: (receivedBytes: number) => void;
  /** Told once all bytes are in place; they are verified behind that, and need nothing of the peer any more. */
  readonly onWhole?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

/** Progress is told once in so many bytes: each time costs as much as to receive one packet in ten. */
const TELL_BYTES = 64 * 1024;

/** What {@linkcode TransferRequester} needs. */
export interface TransferRequesterDeps {
  readonly link: MeshLink;
  readonly clock: Clock;
  readonly counters: TransferCounters;
  readonly registry: TransferRegistry;
}

/** Makes attempts; keeps the nonce. */
export class TransferRequester {
  readonly #deps: TransferRequesterDeps;
  #nonce: bigint;

  /** @param firstNonce Where the nonces start; random, so that both ends of a session rarely collide. */
  constructor(deps: TransferRequesterDeps, firstNonce: bigint) {
    this.#deps = deps;
    this.#nonce = firstNonce;
  }

  /** Asks once. Rejects with the signal's reason only. */
  attempt(request: AttemptRequest): Promise<AttemptResult> {
    const { link, clock, counters, registry } = this.#deps;
    const { peer, hash, signal, onBytes, label, buffers } = request;
    if (signal?.aborted) return Promise.reject(signal.reason);
    const streamId = transferStreamId(this.#nonce++);
    const take = buffers && ((length: number) => buffers.take(length));
    const assembly = new ReplyAssembly(request.expectedBytes, request.bytesMax, take);
    counters.attempts_total += 1;
    const entry = registry.openStream({ ...label, streamId, peer, hash, direction: "fetch" });

    return new Promise<AttemptResult>((resolve, reject) => {
      let cancelTimer = () => {};
      let closeStream: EndReceiving = () => {};
      let progressMs = clock.now();
      let isSettled = false;
      let toldBytes = 0;
      /** True from the last byte on; whatever the peer does then. */
      let isComplete = false;
      const end = (settle: () => void, isReplyWhole = false) => {
        if (isSettled) return;
        isSettled = true;
        cancelTimer();
        entry.end();
        closeStream({ abort: !isReplyWhole });
        signal?.removeEventListener("abort", onAbort);
        settle();
      };
      const finish = (result: AttemptResult) => {
        if (isSettled) return;
        count(counters, result);
        end(() => resolve(result), REPLIES_WHOLE.has(result.kind));
      };
      const onAbort = () => end(() => reject(signal?.reason));
      const onTimer = () => {
        const { hasHeader } = assembly;
        const patienceMs = hasHeader ? TRANSFER_STALL_MS : request.headerPatienceMs;
        const leftMs = progressMs + patienceMs - clock.now();
        if (leftMs <= 0) finish({ kind: hasHeader ? "stalled" : "silent" });
        else cancelTimer = clock.after(leftMs, onTimer);
      };

      const complete = () => {
        const { bytes } = assembly;
        if (buffers === undefined || bytes === undefined) return finish(verify(assembly, hash));
        isComplete = true;
        cancelTimer();
        request.onWhole?.(bytes.length);
        buffers.hash(bytes, hash).then(
          (actual) =>
            finish(equalBytes(actual, hash) ? { kind: "chunk", bytes } : { kind: "wrong_hash" }),
          () => finish(verify(assembly, hash)),
        );
      };

      const handler: ReceiveStreamHandler = {
        onEvent: (sequence, payload, index) => {
          if (isSettled || isComplete) return;
          // One event per packet; more would make the order of bytes ambiguous.
          if (index > 0) return finish({ kind: "malformed" });
          const before = assembly.receivedBytes;
          const hadHeader = assembly.hasHeader;
          const step = assembly.push(sequence, payload);
          if (step === "dropped") counters.events_dropped_total += 1;
          else if (step === "not_found") finish({ kind: "not_found" });
          else if (step === "complete") complete();
          else if (step === "progress") {
            // Empty events are no progress, or they could go on forever.
            if (assembly.receivedBytes > before || !hadHeader) progressMs = clock.now();
            const isDue = assembly.receivedBytes - toldBytes >= TELL_BYTES;
            if (!hadHeader || isDue) {
              toldBytes = assembly.receivedBytes;
              entry.moved(toldBytes, assembly.totalBytes);
              onBytes?.(toldBytes);
            }
          } else if (step !== "kept") finish({ kind: "malformed" });
        },
        onEnd: (reason) => {
          if (isComplete) return;
          const isSessionOver = reason === "peer_lost" || reason === "replaced";
          finish({ kind: isSessionOver ? "disconnected" : "reset" });
        },
      };
      try {
        // Before the request leaves, so that no event of the reply goes astray.
        const windowBytes = REPLY_WINDOW_BYTES;
        closeStream = link.openReceiveStream(peer, streamId, handler, { windowBytes });
      } catch {
        // The link refuses when the peer has no session.
        return finish({ kind: "disconnected" });
      }
      signal?.addEventListener("abort", onAbort, { once: true });
      const isSent = link.sendMessage(
        peer,
        TRANSFER_SUBPROTOCOL,
        streamId,
        encodeTransferRequest(hash),
        { reliableFlag: true, sequence: 0 },
      );
      if (!isSent) finish({ kind: "disconnected" });
      else if (!isSettled) {
        // It looks at what is due then; the header may have come, which shortens the patience.
        const firstMs = Math.min(request.headerPatienceMs, TRANSFER_STALL_MS);
        cancelTimer = clock.after(firstMs, onTimer);
      }
    });
  }
}

/** Outcomes after which the holder has nothing left to send; otherwise it is told to stop. */
const REPLIES_WHOLE: ReadonlySet<AttemptResult["kind"]> = new Set([
  "chunk",
  "not_found",
  "wrong_hash",
]);

function verify(assembly: ReplyAssembly, hash: Uint8Array): AttemptResult {
  const bytes = assembly.bytes;
  if (bytes === undefined || !equalBytes(blake3(bytes), hash)) return { kind: "wrong_hash" };
  return { kind: "chunk", bytes };
}

function count(counters: TransferCounters, result: AttemptResult): void {
  switch (result.kind) {
    case "chunk":
      counters.chunks_fetched_total += 1;
      counters.bytes_fetched_total += result.bytes.length;
      break;
    case "not_found":
      counters.attempts_not_found_total += 1;
      break;
    case "silent":
      counters.attempts_silent_total += 1;
      break;
    case "stalled":
      counters.attempts_stalled_total += 1;
      break;
    case "reset":
    case "disconnected":
      counters.attempts_reset_total += 1;
      break;
    case "malformed":
      counters.attempts_malformed_total += 1;
      break;
    case "wrong_hash":
      counters.attempts_wrong_hash_total += 1;
      break;
  }
}
