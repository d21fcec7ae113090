/**
 * A fold of a user's own: events with their data, and what each does to a state, declared in one place
 * (`storage.md` 9).
 */
import { decodeEvent, DISPATCH_USER_MIN, FoldDecodeError, type FoldModel } from "../cortex/mod.ts";
import {
  codecOf,
  decodeData,
  type FoldCodec,
  type FoldData,
  type GivenData,
  type GotData,
} from "./fold_codecs.ts";
import { decodePlainValue, encodePlainValue } from "./plain_value.ts";

/** Where an event comes from. */
export interface FoldEventInfo {
  readonly seq: bigint;
  /** Who wrote it. */
  readonly origin: bigint;
}

/** One kind of event. */
export interface FoldEventDefinition<State, Data> {
  /** Its number in the log, 0x80..0xff; it stays when the event is renamed. */
  readonly dispatch: number;
  /** Its data: a schema, for JSON, or a codec. */
  readonly data: Data;
  /**
   * Changes the state; false when nothing changed. It is pure: it looks at nothing but its arguments, because it runs
   * again whenever the log is folded anew. What it throws stops the fold, unless it is FoldDecodeError, which sets the
   * event aside.
   */
  apply(state: State, data: GotData<Data>, info: FoldEventInfo): boolean | void;
}

/** The kinds of events by name. */
export type FoldEvents = Readonly<Record<string, FoldData>>;

/** What {@linkcode defineFold} takes. */
export interface FoldSpecification<State, Events extends FoldEvents> {
  /** Channel that the events are in, unless the fold is opened with another. */
  readonly channel: string;
  /** The state before the first event: an object that the events change. */
  readonly state: () => State;
  readonly events: { readonly [Name in keyof Events]: FoldEventDefinition<State, Events[Name]> };
  /** How the state is written in snapshots; plain objects, maps, sets, bigints, bytes and dates need none. */
  readonly snapshot?: FoldCodec<State>;
}

/** A fold as it was declared. */
export interface FoldDefinition<State, Events extends FoldEvents> {
  readonly channel: string;
  readonly model: FoldModel<State>;
  /** Number and codec of each event. */
  readonly events: ReadonlyMap<keyof Events & string, {
    readonly dispatch: number;
    readonly codec: FoldCodec<unknown>;
  }>;
}

/** Data that a writer hands over, by event. */
export type FoldInputs<Events extends FoldEvents> = {
  readonly [Name in keyof Events]: GivenData<Events[Name]>;
};

/** An event as it was declared, out of a log. */
export type FoldEventOutput<Events extends FoldEvents> = {
  readonly [Name in keyof Events & string]: {
    readonly event: Name;
    readonly data: GotData<Events[Name]>;
    /** Who wrote it. */
    readonly origin: bigint;
  };
}[keyof Events & string];

/**
 * Reads one event of a declared fold's log, for who acts on events rather than on the state they make.
 *
 * @param payload The event as the log gives it.
 * @returns `undefined` for an event that was not declared.
 * @throws FoldDecodeError for one that a fold sets aside.
 */
export function readFoldEvent<State, Events extends FoldEvents>(
  definition: FoldDefinition<State, Events>,
  payload: Uint8Array,
): FoldEventOutput<Events> | undefined {
  const decoded = decodeEvent(payload);
  if (!decoded.ok) throw new FoldDecodeError(decoded.reason);
  const { dispatch, tail, origin } = decoded.event;
  for (const [event, known] of definition.events) {
    if (known.dispatch !== dispatch) continue;
    // The codec of this name gives what the type says of this name.
    return { event, data: decodeData(known.codec, tail), origin } as FoldEventOutput<Events>;
  }
  return undefined;
}

/**
 * Declares a fold.
 *
 * @throws RangeError when two events have one number, or one is not 0x80..0xff; TypeError for an async schema.
 *
 * @example
 * ```ts
 * import * as v from "valibot";
 * import { defineFold } from "./define_fold.ts";
 * const votes = defineFold({
 *   channel: "club/votes",
 *   state: () => ({ count: new Map<string, number>() }),
 *   events: {
 *     cast: {
 *       dispatch: 0x80,
 *       data: v.object({ choice: v.string() }),
 *       apply: ({ count }, { choice }) => void count.set(choice, (count.get(choice) ?? 0) + 1),
 *     },
 *   },
 * });
 * console.assert(votes.channel === "club/votes");
 * ```
 */
export function defineFold<State, Events extends FoldEvents>(
  specification: FoldSpecification<State, Events>,
): FoldDefinition<State, Events> {
  const { channel, state, snapshot = plainCodec<State>() } = specification;
  const events = new Map<string, { dispatch: number; codec: FoldCodec<unknown> }>();
  const appliers = new Map<number, Applier<State>>();
  for (const [name, event] of Object.entries(specification.events)) {
    const { dispatch } = event;
    if (!Number.isInteger(dispatch) || dispatch < DISPATCH_USER_MIN || dispatch > 0xff) {
      throw new RangeError(`Cannot define "${name}": dispatch is ${dispatch}, must be 128..255`);
    }
    if (appliers.has(dispatch)) {
      throw new RangeError(`Cannot define "${name}": dispatch ${dispatch} is another event's`);
    }
    const codec = codecOf(event.data);
    events.set(name, { dispatch, codec });
    appliers.set(dispatch, (folded, tail, info) => {
      const data = decodeData(codec, tail) as GotData<Events[string]>;
      return event.apply(folded, data, info) !== false;
    });
  }
  const model: FoldModel<State> = {
    channel,
    create: state,
    apply: (folded, event) => appliers.get(event.dispatch)?.(folded, event.tail, event) ?? false,
    encode: (folded) => snapshot.encode(folded),
    decode: (bytes) => decodeData(snapshot, bytes) as State,
  };
  return { channel, model, events };
}

type Applier<State> = (state: State, tail: Uint8Array, info: FoldEventInfo) => boolean;

function plainCodec<State>(): FoldCodec<State> {
  return {
    encode: encodePlainValue,
    decode: (bytes) => {
      const value = decodePlainValue(bytes);
      if (typeof value === "object" && value !== null) return value as State;
      throw new FoldDecodeError("Cannot read state: it is no object");
    },
  };
}
