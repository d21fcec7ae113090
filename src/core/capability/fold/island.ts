/**
 * Kind 4, island topology: a host says which of its units lie close to each other, and how they are
 * doing (`capabilities.md` 12, `compute.md` 12).
 */
import type { PostcardReader, PostcardWriter } from "../../../base/mod.ts";

/** Payload of kind 4. */
export interface IslandTopology {
  readonly id: bigint;
  /** Ascending, each once. */
  readonly units: readonly number[];
  /** The node the units are in; always the publisher. */
  readonly host: bigint;
  readonly capabilities: readonly string[];
  /** Finite; kept with the precision of four bytes. */
  readonly load: number;
  /** Median latency in microseconds. */
  readonly p50LatencyUs: number;
}

/** Appends an island. */
export function writeIsland(writer: PostcardWriter, island: IslandTopology): void {
  writer.varint(island.id);
  writer.list(island.units, (unit) => writer.varint(unit));
  writer.varint(island.host);
  writer.list(island.capabilities, (capability) => writer.text(capability));
  writer.f32(island.load).varint(island.p50LatencyUs);
}

/** Reads an island; a failure shows in the reader. */
export function readIsland(reader: PostcardReader): IslandTopology {
  return {
    id: reader.u64(),
    units: reader.list(1, () => reader.u32()),
    host: reader.u64(),
    capabilities: reader.list(1, () => reader.text()),
    load: reader.f32(),
    p50LatencyUs: reader.u32(),
  };
}

/** False when the units are not a sorted set, or the load is no number. */
export function isSoundIsland({ units, load }: IslandTopology): boolean {
  return Number.isFinite(load) &&
    units.every((unit, i) => i === 0 || unit > (units[i - 1] ?? unit));
}
