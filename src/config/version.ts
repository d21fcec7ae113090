/** Name and version of the program, as every surface shows them. */

/** Name of the program and of its member in a deployment. */
export const PROGRAM_NAME = "net";

/** Version of the program; equals `version` in `deno.json`, which a test checks. */
export const PROGRAM_VERSION = "0.1.0";
