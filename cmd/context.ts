/** What every verb is handed: its process, and the ways to a node. */
import type { CommandContext } from "@stricli/core";
import type { Doors } from "./doors.ts";
import type { SharedFlags } from "./flags.ts";
import type { Io } from "./io.ts";

/** Context of one run of the program. */
export interface NetContext extends CommandContext {
  readonly io: Io;
  readonly doors: Doors;
  /** Exit code of the verb that ran. */
  exitCode: number;
  /** Where the node is that the words typed so far mean; while a word is completed. */
  readonly typed?: SharedFlags;
}
