/**
 * Acts on the control events of a session: grants, NACKs, SACKs, resets (`wire.md` 7.3 to 7.7).
 *
 * Values are unsigned 64-bit on the wire; those above 2^53 are absurd here and read as the nearest
 * double, which every rule below clamps or ignores.
 */

import { decodeSack, GRANT_BYTES, NACK_BYTES, RESET_BYTES } from "../wire/control_frames.ts";
import type { Session } from "../session/session.ts";
import { SUBPROTOCOL_GRANT, SUBPROTOCOL_RESET, SUBPROTOCOL_SACK } from "../wire/subprotocols.ts";
import { readNumber } from "../wire/wire_numbers.ts";

/**
 * Acts on one control event.
 *
 * @param at Start of the event in `view`.
 * @returns False when the event is malformed.
 */
export function receiveControl(
  session: Session,
  subprotocol: number,
  view: DataView,
  at: number,
  length: number,
  now: number,
): boolean {
  if (subprotocol === SUBPROTOCOL_SACK) return receiveSack(session, view, at, length, now);
  if (length !== EXACT_BYTES[subprotocol - SUBPROTOCOL_GRANT]) return false;
  const stream = session.streams.get(view.getUint32(at, true), view.getUint32(at + 4, true));
  if (stream === undefined) return true;
  if (subprotocol === SUBPROTOCOL_RESET) {
    session.streams.drop(stream, "reset", true);
    return true;
  }
  const state = stream.send;
  if (state === undefined || stream.ended !== undefined) return true;
  stream.lastActiveAt = now;
  if (subprotocol === SUBPROTOCOL_GRANT) {
    if (state.onGrant(readNumber(view, at + 8), readNumber(view, at + 16), now)) stream.wake();
  } else {
    session.streams.sender.resend(
      stream,
      state,
      state.onNack(
        readNumber(view, at + 8),
        view.getUint32(at + 16, true),
        view.getUint32(at + 20, true),
        now,
      ),
    );
  }
  if (state.smoothedRttMs !== undefined) session.peer.rttMs = state.smoothedRttMs;
  return true;
}

const EXACT_BYTES: readonly number[] = [GRANT_BYTES, NACK_BYTES, RESET_BYTES];

function receiveSack(
  session: Session,
  view: DataView,
  at: number,
  length: number,
  now: number,
): boolean {
  const sack = decodeSack(new Uint8Array(view.buffer, view.byteOffset + at, length));
  if (sack === undefined) return false;
  const stream = session.streams.get(view.getUint32(at, true), view.getUint32(at + 4, true));
  if (stream?.send === undefined || stream.ended !== undefined) return true;
  const ranges = sack.ranges.map(([start, end]) => [Number(start), Number(end)] as const);
  const { isProgress, due } = stream.send.onSack(Number(sack.ackSequence), ranges, now);
  session.streams.sender.resend(stream, stream.send, due);
  if (isProgress) stream.wake();
  return true;
}
