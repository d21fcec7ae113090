/** Asks one node to take a copy of a blob, and follows how far it is. */
import { type Clock, NetError, toNetError } from "../../base/mod.ts";
import {
  COPY_SERVICE,
  type CopyRefusal,
  type CopyRequest,
  decodeCopyReply,
  encodeCopyRequest,
} from "../../blob/mod.ts";
import type { Rpc } from "../../rpc/mod.ts";

/** What {@linkcode askForCopy} needs. */
export interface CopyAskerDeps {
  readonly clock: Clock;
  readonly rpc: Pick<Rpc, "callStream">;
}

/** Options of {@linkcode askForCopy}. */
export interface AskForCopyOptions {
  readonly onBytes?: (doneBytes: number) => void;
  readonly signal: AbortSignal;
}

/** What came of it. */
export type CopyOutcome =
  | { readonly kind: "held" }
  | { readonly kind: "refused"; readonly reason: CopyRefusal }
  /** It could not be asked, or stopped answering. */
  | { readonly kind: "failed"; readonly error: NetError };

/** A node that is at work answers every second; two relays and a busy disk are between. */
const SILENCE_MS = 90_000;

/**
 * Asks a node for a copy; when this says "held", it holds every byte and has synced it.
 *
 * @throws The signal's reason; the node is told that nobody waits any more.
 */
export async function askForCopy(
  { clock, rpc }: CopyAskerDeps,
  target: bigint,
  request: CopyRequest,
  { onBytes, signal }: AskForCopyOptions,
): Promise<CopyOutcome> {
  const silence = new AbortController();
  let cancelTimer = () => {};
  const heard = () => {
    cancelTimer();
    cancelTimer = clock.after(SILENCE_MS, () =>
      silence.abort(
        new NetError("timeout", "Cannot have copy taken: the node stopped answering"),
      ));
  };
  try {
    heard();
    await using replies = await rpc.callStream(COPY_SERVICE, encodeCopyRequest(request), {
      target,
      signal: AbortSignal.any([signal, silence.signal]),
    });
    for await (const body of replies) {
      heard();
      const reply = decodeCopyReply(body);
      if (reply === undefined) break;
      if (reply.kind === "progress") onBytes?.(Number(reply.doneBytes));
      else if (reply.kind === "held") return { kind: "held" };
      else return reply;
    }
    const error = new NetError("failed", "Cannot have copy taken: the node gave no answer");
    return { kind: "failed", error };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    return { kind: "failed", error: toNetError(error, "Cannot have copy taken") };
  } finally {
    cancelTimer();
  }
}
