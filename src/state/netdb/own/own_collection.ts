/** A user's collection, open: rows with a schema, that are put, patched and deleted. */
import type * as v from "../../../schema/mod.ts";
import type { WriteToken } from "../../../log/mod.ts";
import {
  openCortex,
  type OpenCortexDeps,
  type OpenCortexOptions,
} from "../../cortex/open_cortex.ts";
import { isSameValue } from "../../cortex/same_value.ts";
import type { CortexAdapter } from "../../cortex/types.ts";
import { NetDbError } from "../error.ts";
import { FoldedCollection } from "../folded_collection.ts";
import type { BlobPins, CollectionDefinition, OwnRow, RowSchema } from "./definition.ts";
import type { RowFilter } from "./row_filter.ts";
import {
  createRowModel,
  deleteRowEvent,
  patchFields,
  patchRowEvent,
  putRowEvent,
  readRow,
  requireRowSize,
  type RowFields,
} from "./row_model.ts";
import type { RowTable } from "./row_table.ts";

/** What {@linkcode openCollection} needs. */
export interface OpenCollectionDeps extends OpenCortexDeps {
  /** Told which blobs rows refer to. */
  readonly pins?: BlobPins;
}

/** Rows of a schema. Writes are checked first, so that nothing is appended that readers would set aside. */
export class OwnCollection<Schema extends RowSchema>
  extends FoldedCollection<RowTable<OwnRow<Schema>>, OwnRow<Schema>, RowFilter<OwnRow<Schema>>> {
  readonly definition: CollectionDefinition<Schema>;

  constructor(
    adapter: CortexAdapter<RowTable<OwnRow<Schema>>>,
    definition: CollectionDefinition<Schema>,
  ) {
    super(adapter);
    this.definition = definition;
  }

  /**
   * A row, new or in the place of one with the same id.
   *
   * @throws NetDbError `row` when the schema refuses it, `limit`.
   */
  put(id: bigint, fields: v.InferInput<Schema>): WriteToken {
    return this.write(putRowEvent(id, this.#check(id, fields)));
  }

  /** Puts many rows, all or none; `undefined` when there are none. */
  putMany(
    rows: Iterable<readonly [id: bigint, fields: v.InferInput<Schema>]>,
  ): WriteToken | undefined {
    const events = Array.from(rows, ([id, fields]) => putRowEvent(id, this.#check(id, fields)));
    return this.adapter.appendBatch(events);
  }

  /**
   * Sets fields of a row that is there and leaves the others; an `undefined` field goes. Two patches of different
   * fields, written at the same time, both stand.
   *
   * @throws NetDbError `not_found`, `row`, `limit`.
   */
  patch(id: bigint, fields: Partial<v.InferInput<Schema>>): WriteToken {
    const row = this.findUnique(id);
    if (row === undefined) {
      throw new NetDbError(
        "not_found",
        `patch ${this.definition.name} ${id}: there is no such row`,
      );
    }
    requireRowSize(id, this.#check(id, patchFields(row, fields)));
    return this.write(patchRowEvent(id, fields));
  }

  delete(id: bigint): WriteToken {
    return this.write(deleteRowEvent(id));
  }

  /** The fields, when the schema takes them, and takes what it makes of them. */
  #check(id: bigint, fields: RowFields): RowFields {
    const read = readRow(this.definition, id, fields);
    if ("problem" in read) this.#refuse(id, read.problem);
    const { id: _, ...output } = read.row;
    const again = readRow(this.definition, id, output);
    if ("problem" in again || !isSameValue(again.row, read.row)) {
      this.#refuse(
        id,
        "its schema does not take its own output: use transforms that do nothing twice",
      );
    }
    return output;
  }

  #refuse(id: bigint, problem: string): never {
    throw new NetDbError("row", `write ${this.definition.name} ${id}: ${problem}`);
  }
}

/** Opens a collection on its own; see {@linkcode openCortex}. */
export async function openCollection<Schema extends RowSchema>(
  deps: OpenCollectionDeps,
  definition: CollectionDefinition<Schema>,
  options: OpenCortexOptions,
): Promise<OwnCollection<Schema>> {
  const model = createRowModel(definition, deps.pins);
  return new OwnCollection(await openCortex(deps, model, options), definition);
}
