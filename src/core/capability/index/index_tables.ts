/** What queries read: entries as columns, and for each property the slots that have it. */
import { NODE_STATES } from "../fold/membership.ts";
import { GPU_VENDORS } from "../views/hardware_view.ts";
import { Dictionary } from "./dictionary.ts";
import { NumberPostings } from "./number_postings.ts";
import { Posting } from "./posting.ts";
import { RowTable } from "./row_table.ts";
import { ScoreColumns } from "./score_columns.ts";

/** Tables of one index; the index alone changes them. */
export class IndexTables {
  readonly table = new RowTable();
  readonly dictionary = new Dictionary();
  readonly all = new Posting();
  readonly stale = new Posting();
  /** By {@linkcode NODE_STATES}. */
  readonly states: readonly Posting[] = NODE_STATES.map(() => new Posting());
  /** By {@linkcode GPU_VENDORS}. */
  readonly gpuVendors: readonly Posting[] = GPU_VENDORS.map(() => new Posting());
  readonly gpus = new Posting();
  readonly models = new Posting();
  readonly classes = new Map<bigint, Posting>();
  readonly regions = new Map<string, Posting>();
  readonly memoryGb = new NumberPostings();
  readonly vramGb = new NumberPostings();
  readonly scores = new ScoreColumns();
  /** Moves on every change. */
  version = 0;
}
