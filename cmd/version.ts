/** `net version` and `net --version`. */
import { buildCommand } from "@stricli/core";
import { PROGRAM_BUILD, PROGRAM_NAME, PROGRAM_VERSION } from "../src/config/mod.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { runVerb } from "./verb.ts";

/** The verb. */
export const versionCommand = buildCommand<SharedFlags, [], NetContext>({
  docs: {
    brief: "Print the version",
    fullDescription: "Prints the version; with --json also the commit it was built from.\n\n" +
      "EXAMPLES\n  net version\n  net version --json\n  net --version",
  },
  parameters: { flags: bareRecord(SHARED_FLAGS) },
  async func(flags) {
    await runVerb(this, flags, ({ output }) => {
      const fields = {
        name: PROGRAM_NAME,
        version: PROGRAM_VERSION,
        build_hash: PROGRAM_BUILD.buildHash,
        compiled_at: PROGRAM_BUILD.compiledAt,
        deno: Deno.version.deno,
        platform: `${Deno.build.os}-${Deno.build.arch}`,
      };
      output.result("version", fields, () => `${PROGRAM_NAME} ${PROGRAM_VERSION}`);
      return Promise.resolve();
    });
  },
});
