/** `net validate metadata FILE|DIR`: what a toolkit is told about a member (`validation.md` 7.1). */
import { buildCommand } from "@stricli/core";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, textFlag } from "./flags.ts";
import {
  familySeedOf,
  isReportColored,
  MEMBER_FLAGS,
  memberEnv,
  type MemberFlags,
  memberOptions,
  reportText,
} from "./validate_common.ts";
import { runVerb } from "./verb.ts";

interface ValidateMetadataFlags extends MemberFlags {
  readonly endpoint?: string;
}

/** The verb. */
export const validateMetadataCommand = buildCommand<ValidateMetadataFlags, [string], NetContext>({
  docs: {
    brief: "Check a metadata.toml, and on demand the member it describes",
    fullDescription: "Checks every rule of a metadata.toml and names the line of each finding. " +
      "With --endpoint the running member is probed too, and what the file declares is compared " +
      "with what the member advertises. The exit code is 0 when there are no errors, 1 when " +
      "there are, 4 when there is no such file.\n\n" +
      "EXAMPLES\n  net validate metadata ./metadata.toml\n" +
      "  net validate metadata plasmidBin/beardog --json\n" +
      "  net validate metadata . --endpoint 127.0.0.1:9900",
  },
  parameters: {
    flags: bareRecord({
      endpoint: textFlag("ENDPOINT", "Compare with this running member"),
      ...MEMBER_FLAGS,
      ...SHARED_FLAGS,
      timeout: textFlag("DURATION", "Time for one reply; default: 10s"),
    }),
    positional: {
      kind: "tuple",
      parameters: [{ parse: String, placeholder: "FILE|DIR", brief: "Metadata to check" }],
    },
  },
  async func(flags, path) {
    // --timeout is the time for one reply here, so the frame must not take it for the whole.
    const { timeout, ...frameFlags } = flags;
    await runVerb(this, frameFlags, async ({ output, signal }) => {
      const { maxLineBytes, ...options } = memberOptions(flags, timeout);
      const validate = await import("../src/validate/mod.ts");
      const report = await validate.validateMetadata(path, {
        ...options,
        lineBytesMax: maxLineBytes,
        endpoint: flags.endpoint,
        familySeed: await familySeedOf(this, flags.familySeedFile),
        env: memberEnv(this.io.env, flags.family),
        cwd: this.io.cwd,
        signal,
      });
      const useColor = isReportColored(this.io);
      output.result(
        "validate.metadata",
        validate.metadataReportDocument(report),
        () => reportText(validate.renderMetadataReport(report, { useColor }), output.isQuiet),
      );
      return validate.metadataExitCode(report);
    });
  },
});
