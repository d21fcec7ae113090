/** Collections of a user's own: what a row is made of (`docs/netdb.md`). */
import type * as v from "../../../schema/mod.ts";
import { NetDbError } from "../error.ts";

/** A row: the fields of the schema's output, and the id it is found by. */
export type OwnRow<Schema extends RowSchema> =
  & Readonly<v.InferOutput<Schema>>
  & { readonly id: bigint };

/** A schema of rows: an object, without `id`, that is checked at once and takes what it gives. */
export type RowSchema = v.GenericSchema<Record<string, unknown>, Record<string, unknown>>;

/** What {@linkcode defineCollection} takes. */
export interface CollectionSpecification<Schema extends RowSchema> {
  /** Letters a to z, digits and `-`; stands in the channel's name, and in errors. */
  readonly name: string;
  /** Checked when a row is written, and again when it is folded: what does not fit is set aside and reported. */
  readonly schema: Schema;
  /** Channel of its log; `netdb/NAME` when left out. */
  readonly channel?: string;
  /**
   * Blobs that a row refers to (any text that names one): they are held against removal as long as a row does, when
   * the database was given a {@linkcode BlobPins}.
   */
  readonly blobsOf?: (row: OwnRow<Schema>) => Iterable<string>;
}

/** A collection as it was declared. */
export interface CollectionDefinition<Schema extends RowSchema = RowSchema> {
  readonly name: string;
  readonly channel: string;
  readonly schema: Schema;
  // A method, so that a definition of any schema is one of a collection whose schema is not known.
  blobsOf?(row: OwnRow<Schema>): Iterable<string>;
}

/** Holds blobs: told when a first row refers to one, and when the last one does no more. */
export interface BlobPins {
  pin(blob: string): void;
  unpin(blob: string): void;
}

const NAME = /^[a-z0-9][a-z0-9-]{0,63}$/;

/**
 * Declares a collection.
 *
 * @throws NetDbError `definition`
 *
 * @example
 * ```ts
 * import * as v from "valibot";
 * import { defineCollection } from "./definition.ts";
 * const notes = defineCollection({
 *   name: "notes",
 *   schema: v.object({ text: v.string(), stars: v.optional(v.number(), 0) }),
 * });
 * console.assert(notes.channel === "netdb/notes");
 * ```
 */
export function defineCollection<Schema extends RowSchema>(
  specification: CollectionSpecification<Schema>,
): CollectionDefinition<Schema> {
  const { name, schema, channel = `netdb/${name}`, blobsOf } = specification;
  if (!NAME.test(name)) {
    throw new NetDbError(
      "definition",
      `define collection "${name}": a name is 1 to 64 letters a to z, digits and "-"`,
    );
  }
  if (schema.async as boolean) {
    throw new NetDbError("definition", `define collection ${name}: its schema must not be async`);
  }
  if ("entries" in schema && Object.hasOwn(schema.entries as object, "id")) {
    throw new NetDbError(
      "definition",
      `define collection ${name}: its schema must not have "id", rows have one of their own`,
    );
  }
  return Object.freeze({ name, channel, schema, blobsOf });
}
