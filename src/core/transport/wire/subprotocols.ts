/** Ids of the subprotocols that the transport itself speaks, or has to tell apart (`wire.md` 8). */

/** Control events of streams (`wire.md` 7.3 to 7.7); the ids follow one another. */
export const SUBPROTOCOL_GRANT = 0x0b00;
export const SUBPROTOCOL_NACK = 0x0b01;
export const SUBPROTOCOL_RESET = 0x0b02;
export const SUBPROTOCOL_SACK = 0x0b03;

/** Route withdrawals (`wire.md` 12). */
export const SUBPROTOCOL_ROUTE_WITHDRAWAL = 0x0c01;

/** Reflex requests and responses (`wire.md` 13.1). */
export const SUBPROTOCOL_REFLEX = 0x0d00;

/** Introductions of peers that punch (`wire.md` 13.2). */
export const SUBPROTOCOL_RENDEZVOUS = 0x0d01;

/** True for control events of streams. */
export function isStreamControl(subprotocol: number): boolean {
  return subprotocol >= SUBPROTOCOL_GRANT && subprotocol <= SUBPROTOCOL_SACK;
}

/** True for messages that cost a signature check: announcements, scoped ones, folds. */
export function isAnnouncement(subprotocol: number): boolean {
  return subprotocol === 0x0c00 || subprotocol === 0x0c04 || subprotocol === 0x1000;
}
