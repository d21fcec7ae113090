/**
 * Kind 2, routing: a node says over whom a destination is reached, and at what cost
 * (`capabilities.md` 12).
 */
import type { PostcardReader, PostcardWriter } from "../../../base/mod.ts";

/** Payload of kind 2. */
export interface RouteClaim {
  readonly destination: bigint;
  readonly nextHop: bigint;
  /** Lower is better. */
  readonly metric: number;
  readonly via: bigint;
}

/** Appends a route. */
export function writeRoute(writer: PostcardWriter, route: RouteClaim): void {
  writer.varint(route.destination).varint(route.nextHop).varint(route.metric).varint(route.via);
}

/** Reads a route; a failure shows in the reader. */
export function readRoute(reader: PostcardReader): RouteClaim {
  return {
    destination: reader.u64(),
    nextHop: reader.u64(),
    metric: reader.u32(),
    via: reader.u64(),
  };
}
