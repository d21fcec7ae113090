/** Which peers take fragments and numbers of items (docs/rpc-bodies.md). */
import { TAG_RPC_BODIES } from "../../rpc/mod.ts";
import { OTHER_ANNOUNCEMENT_MS, SEALED_ANNOUNCEMENT_MS } from "./limits.ts";
import type { LinkParts } from "./rpc_parts.ts";

type ExtensionParts = Pick<LinkParts, "clock" | "transport" | "announcements">;

/**
 * Whether a peer takes them. It says so in its announcement; where that has not come, a sealed peer is taken to:
 * nobody but nodes of ours seals, and none of them makes or takes calls without the extension.
 */
export function isExtendedPeer(parts: ExtensionParts, peer: bigint): boolean {
  const tags = parts.announcements.tagsOf(peer);
  if (tags !== undefined) return tags.includes(TAG_RPC_BODIES);
  return parts.transport.peer(peer)?.isSealed === true;
}

/**
 * Waits for a peer's announcement, for a short time: who it is says how its streams are to be taken.
 *
 * @param signal Ends waiting.
 */
export async function awaitAnnouncement(
  { clock, transport, announcements }: ExtensionParts,
  peer: bigint,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const isKnown = () => announcements.tagsOf(peer) !== undefined;
  if (isKnown()) return;
  const isSealed = transport.peer(peer)?.isSealed === true;
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(isSealed ? SEALED_ANNOUNCEMENT_MS : OTHER_ANNOUNCEMENT_MS, resolve);
  const stop = announcements.onAnnounced((nodeId) => {
    if (nodeId === peer && isKnown()) resolve();
  });
  const onAbort = () => resolve();
  signal.addEventListener("abort", onAbort);
  await promise;
  signal.removeEventListener("abort", onAbort);
  cancel();
  stop();
}
