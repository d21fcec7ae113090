/** How a session begins that this node dialled for: who says what first (`wire.md` 4.5, `sealed.md` 3). */
import { NetError } from "../../../base/mod.ts";
import { requestReflex } from "../builtin_messages.ts";
import type { HandshakeResult } from "./handshake_types.ts";
import type { SessionRegistry } from "../session/session_registry.ts";

/**
 * Opens the session of a handshake that this node began.
 *
 * @returns `undefined` when it may be used at once; otherwise it may when this resolves.
 */
export function openDialled(
  sessions: SessionRegistry,
  result: HandshakeResult,
): Promise<void> | undefined {
  if (result.sealed !== undefined) return openSealed(sessions, result);
  const session = sessions.initiate(result);
  if (session === undefined) return undefined;
  // The first packet on the session tells the responder that the keys are in use; no heartbeat passes a
  // relay.
  if (result.isRelayed) requestReflex(session);
  else session.sendHeartbeat();
  return undefined;
}

/** A sealed session may be used once both sides have proven who they are. */
function openSealed(sessions: SessionRegistry, result: HandshakeResult): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const settle = (failure?: Error) => failure === undefined ? resolve() : reject(failure);
  if (sessions.begin(result, settle) === undefined) {
    reject(new NetError("limit", "Cannot open a sealed session: there is no room for another"));
  } else sessions.greet(result);
  return promise;
}
