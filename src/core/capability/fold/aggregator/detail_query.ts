/**
 * Questions for entries of a fold, beyond counts (promise C1): which bytes stand for which question, and
 * which entries answer it. Each kind has its own; no bytes at all ask for everything.
 *
 * Tags are compared as text. Whoever looks for nodes here asks the index; this is for what another node
 * asks of an aggregator.
 */
import { PostcardReader, PostcardWriter } from "../../../../base/mod.ts";
import type { AnyFoldEnvelope } from "../envelope.ts";
import type { FoldKindNumber } from "../kinds.ts";
import { NODE_STATES, type NodeState } from "../membership.ts";
import { holderOf, type ReservationState } from "../reservation.ts";

/** States of a reservation in the order of their numbers on the wire. */
const RESERVATION_STATES = ["free", "reserved", "active"] as const;

/** What is asked of a kind; what is left out does not matter. */
export type DetailQuery =
  | {
    readonly kind: 1;
    readonly tagsAll?: readonly string[];
    /** At least one of them, if there are any. */
    readonly tagsAny?: readonly string[];
    readonly state?: NodeState;
    readonly region?: string;
  }
  | { readonly kind: 2; readonly destination?: bigint; readonly metricMax?: number }
  | {
    readonly kind: 3;
    readonly resourceId?: bigint;
    readonly state?: ReservationState["kind"];
    readonly holder?: bigint;
  }
  | {
    readonly kind: 4;
    readonly id?: bigint;
    readonly host?: bigint;
    readonly capabilitiesAll?: readonly string[];
    readonly loadMax?: number;
  };

/** Bytes of a question. */
export function encodeDetailQuery(query: DetailQuery): Uint8Array<ArrayBuffer> {
  const writer = new PostcardWriter();
  const text = (value: string) => void writer.text(value);
  const number = (value: number | bigint) => void writer.varint(value);
  switch (query.kind) {
    case 1: {
      const { tagsAll = [], tagsAny = [], state, region } = query;
      writer.list(tagsAll, text).list(tagsAny, text);
      writer.option(state, (value) => number(NODE_STATES.indexOf(value))).option(region, text);
      break;
    }
    case 2:
      writer.option(query.destination, number).option(query.metricMax, number);
      break;
    case 3:
      writer.option(query.resourceId, number);
      writer.option(query.state, (value) => number(RESERVATION_STATES.indexOf(value)));
      writer.option(query.holder, number);
      break;
    case 4:
      writer.option(query.id, number).option(query.host, number);
      writer.list(query.capabilitiesAll ?? [], text);
      writer.option(query.loadMax, (value) => writer.f32(value));
  }
  return writer.finish();
}

/** Reads a question of a kind; `undefined` for anything else. */
export function decodeDetailQuery(
  kind: FoldKindNumber,
  bytes: Uint8Array,
): DetailQuery | undefined {
  if (bytes.length === 0) return { kind };
  const reader = new PostcardReader(bytes);
  const query = readQuery(reader, kind);
  return reader.failure === undefined && reader.remaining === 0 ? query : undefined;
}

/** True when a statement answers a question of its kind. */
export function isDetailMatch(query: DetailQuery, envelope: AnyFoldEnvelope): boolean {
  if (query.kind === 1 && envelope.kind === 1) {
    const { tags, state, region } = envelope.payload;
    const { tagsAll = [], tagsAny = [] } = query;
    return isWanted(query.state, state) && isWanted(query.region, region) &&
      tagsAll.every((tag) => tags.includes(tag)) &&
      (tagsAny.length === 0 || tagsAny.some((tag) => tags.includes(tag)));
  }
  if (query.kind === 2 && envelope.kind === 2) {
    const { destination, metric } = envelope.payload;
    return isWanted(query.destination, destination) && metric <= (query.metricMax ?? Infinity);
  }
  if (query.kind === 3 && envelope.kind === 3) {
    const { resourceId, state } = envelope.payload;
    return isWanted(query.resourceId, resourceId) && isWanted(query.state, state.kind) &&
      isWanted(query.holder, holderOf(state));
  }
  if (query.kind === 4 && envelope.kind === 4) {
    const { id, host, capabilities, load } = envelope.payload;
    return isWanted(query.id, id) && isWanted(query.host, host) &&
      load <= (query.loadMax ?? Infinity) &&
      (query.capabilitiesAll ?? []).every((capability) => capabilities.includes(capability));
  }
  return false;
}

function isWanted<T>(wanted: T | undefined, value: T | undefined): boolean {
  return wanted === undefined || wanted === value;
}

function readQuery(reader: PostcardReader, kind: FoldKindNumber): DetailQuery {
  const text = () => reader.text();
  const number = () => reader.u64();
  switch (kind) {
    case 1:
      return {
        kind,
        tagsAll: reader.list(1, text),
        tagsAny: reader.list(1, text),
        state: reader.option(() => NODE_STATES[reader.variant(NODE_STATES.length)] ?? "faulty"),
        region: reader.option(text),
      };
    case 2:
      return {
        kind,
        destination: reader.option(number),
        metricMax: reader.option(() => reader.u32()),
      };
    case 3:
      return {
        kind,
        resourceId: reader.option(number),
        state: reader.option(() => RESERVATION_STATES[reader.variant(3)] ?? "free"),
        holder: reader.option(number),
      };
    case 4:
      return {
        kind,
        id: reader.option(number),
        host: reader.option(number),
        capabilitiesAll: reader.list(1, text),
        loadMax: reader.option(() => reader.f32()),
      };
  }
}
