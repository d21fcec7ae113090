/** Where the objects of the surface come from and go to: the smallest door into the node's blobs. */
import type { BlobSink, ByteSource } from "../../blob/mod.ts";

/** An object that can be had. */
export interface FoundObject {
  /** 32 bytes. */
  readonly hash: Uint8Array;
  /** Bytes. */
  readonly size: number;
}

/** Options of calls that wait. */
export interface ObjectOptions {
  readonly signal: AbortSignal;
}

/** Blobs as objects. */
export interface ObjectSource {
  /**
   * Looks for an object, here and then at connected nodes.
   *
   * @throws NetError `not_found` when nobody has it; `limit` when too many ask the mesh.
   */
  find(hash: Uint8Array, options: ObjectOptions): Promise<FoundObject>;
  /**
   * All of an object of one chunk that is here, verified; `undefined` for every other, which is to be read as a
   * stream.
   */
  readShort(object: FoundObject): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /**
   * Gives all of an object to a sink, which commits when the whole hash was right.
   *
   * @throws NetError `not_found`, `integrity`, `unreachable`, `timeout`; what the sink throws.
   */
  read(object: FoundObject, sink: BlobSink, options: ObjectOptions): Promise<void>;
  /**
   * Bytes from `start` up to, not with, `end`; every piece was checked against a hash of its own, and is valid until
   * the next is asked for.
   *
   * @throws as `read`, while it is iterated.
   */
  readRange(
    object: FoundObject,
    start: number,
    end: number,
    options: ObjectOptions,
  ): AsyncIterable<Uint8Array>;
  /**
   * Stores an object.
   *
   * @throws NetError `no_space`, `limit`; what the source throws. Nothing is kept then.
   */
  put(
    source: ByteSource,
    options: ObjectOptions,
  ): Promise<{ readonly address: string; readonly size: number }>;
  /** Bytes that still fit; `Infinity` where nobody knows. */
  freeBytes(): number;
}
