/** A small model for tests: amounts that are added up by name. */
import { type CortexEvent, FoldDecodeError, type FoldModel } from "../../../src/state/mod.ts";

/** Sums by name. */
export type Sums = Map<string, number>;

/** Tail: a name's letter, an amount. */
export const ADD = 0x80;
/** The model throws what is no FoldDecodeError. */
export const BREAK = 0x81;

export const SUM_MODEL: FoldModel<Sums> = {
  channel: "test/sums",
  create: () => new Map(),
  apply: (sums, event: CortexEvent) => {
    if (event.dispatch === BREAK) throw new Error("out of order");
    if (event.dispatch !== ADD) return false;
    const [letter, amount] = event.tail;
    if (letter === undefined || amount === undefined) throw new FoldDecodeError("tail is short");
    const name = String.fromCharCode(letter);
    sums.set(name, (sums.get(name) ?? 0) + amount);
    return amount !== 0;
  },
  encode: (sums) => new TextEncoder().encode(JSON.stringify([...sums])),
  decode: (bytes) => {
    try {
      return new Map(JSON.parse(new TextDecoder().decode(bytes)));
    } catch (error) {
      throw new FoldDecodeError("no sums", error);
    }
  },
};

/** Tail of an {@linkcode ADD}. */
export function amount(name: string, value: number): Uint8Array {
  return Uint8Array.of(name.charCodeAt(0), value);
}
