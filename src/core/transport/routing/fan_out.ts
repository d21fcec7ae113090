/**
 * How widely something is passed on (promise W8): to all of a few neighbours, to a share of very many.
 *
 * With n neighbours that each say something once per interval, passing all on to all would be n² copies.
 * So many copies per interval are shared out instead. Successive turns of one origin begin further on, so
 * that all neighbours get their turn.
 */

/** Bounds of passing on. */
export interface FanOut {
  /** Copies per interval that all origins together may cost. */
  readonly copies: number;
  /** Neighbours reached whatever it costs. */
  readonly min: number;
}

/** Spreads origins over the places where passing on begins. */
const SPREAD = 0x9e3779b1;

/** Neighbours that one message is passed on to, of so many. */
export function fanOut(neighbours: number, { copies, min }: FanOut): number {
  if (neighbours * neighbours <= copies) return neighbours;
  return Math.min(neighbours, Math.max(min, Math.floor(copies / neighbours)));
}

/**
 * Place of the first neighbour that gets it.
 *
 * @param turn Number of this message among those of its origin; rising by one.
 */
export function fanOutStart(
  originLow: number,
  turn: number,
  neighbours: number,
  bounds: FanOut,
): number {
  if (neighbours === 0) return 0;
  const count = fanOut(neighbours, bounds);
  return ((Math.imul(originLow, SPREAD) >>> 0) + turn * count) % neighbours;
}
