/**
 * Messages the transport answers itself: reflex (`wire.md` 13.1), which also serves as a round-trip
 * probe, and route withdrawal (12).
 */

import { decodeReflexResponse, encodeReflexResponse } from "./wire/nat_frames.ts";
import type { Routing } from "./routing/routing.ts";
import type { Session } from "./session/session.ts";
import { SUBPROTOCOL_REFLEX, SUBPROTOCOL_ROUTE_WITHDRAWAL } from "./wire/subprotocols.ts";
import { decodeRouteWithdrawal } from "./wire/withdrawal_frame.ts";

/** What {@linkcode answerBuiltin} needs. */
export interface BuiltinContext {
  readonly session: Session;
  readonly routing: Routing;
  readonly now: number;
}

const EMPTY = new Uint8Array(0);

/** Asks the peer for our address, and so for a packet. */
export function requestReflex(session: Session): boolean {
  return session.sendMessage(SUBPROTOCOL_REFLEX, SUBPROTOCOL_REFLEX, 0, EMPTY);
}

/** Acts on a built-in message; false when the subprotocol is none. */
export function answerBuiltin(
  context: BuiltinContext,
  subprotocol: number,
  events: readonly Uint8Array[],
): boolean {
  if (subprotocol === SUBPROTOCOL_REFLEX) {
    for (const event of events) receiveReflex(context, event);
    return true;
  }
  if (subprotocol === SUBPROTOCOL_ROUTE_WITHDRAWAL) {
    for (const event of events) {
      const withdrawal = decodeRouteWithdrawal(event);
      if (withdrawal === undefined) continue;
      const { destination, sequence } = withdrawal;
      context.routing.onWithdrawal(context.session.peer, destination, sequence);
    }
    return true;
  }
  return false;
}

function receiveReflex({ session, now }: BuiltinContext, event: Uint8Array): void {
  const { peer } = session;
  if (event.length === 0) {
    const response = encodeReflexResponse(peer.address);
    session.sendMessage(SUBPROTOCOL_REFLEX, SUBPROTOCOL_REFLEX, 0, response);
    return;
  }
  if (peer.probedAt === undefined) return;
  const rttMs = now - peer.probedAt;
  const reflex = decodeReflexResponse(event);
  peer.rttMs = rttMs;
  peer.reflex = reflex;
  peer.probedAt = undefined;
  const waiting = peer.onProbeAnswer;
  peer.onProbeAnswer = undefined;
  for (const resolve of waiting ?? []) resolve(rttMs, reflex);
}
