/** `net validate binary PATH`: whether a file can be shipped as an executable (`validation.md` 6). */
import { buildCommand } from "@stricli/core";
import type { NetContext } from "./context.ts";
import {
  bareRecord,
  durationFlag,
  listFlag,
  SHARED_FLAGS,
  type SharedFlags,
  switchFlag,
  textFlag,
} from "./flags.ts";
import { isReportColored, reportText } from "./validate_common.ts";
import { runVerb } from "./verb.ts";

interface ValidateBinaryFlags extends SharedFlags {
  readonly arch?: string;
  readonly forbid?: readonly string[];
  readonly noRun?: boolean;
}

/** The verb. */
export const validateBinaryCommand = buildCommand<ValidateBinaryFlags, [string], NetContext>({
  docs: {
    brief: "Check an executable: machine, traces of its build, --help, --version",
    fullDescription:
      "Checks a file that a toolkit is to ship: that it is executable and for this " +
      "machine, that it holds no home folder and no private address, and that --help and " +
      "--version work in an empty environment. How it is linked and how large it is are " +
      "warnings. The exit code is 0 for COMPLIANT, 1 for NON-COMPLIANT, 4 when there is no such " +
      "file.\n\n" +
      "EXAMPLES\n  net validate binary ./net\n  net validate binary primals/aarch64/net " +
      '--arch aarch64\n  net validate binary ./net --forbid "$HOME" --forbid "$(hostname)" --json',
  },
  parameters: {
    flags: bareRecord({
      arch: textFlag("ARCH", "Machine it is for, such as aarch64; default: this one"),
      forbid: listFlag("TEXT", "Text that must not be in it; may be repeated"),
      noRun: switchFlag("Look at the file only, never run it"),
      ...SHARED_FLAGS,
      timeout: textFlag("DURATION", "Time for one run of the program; default: 10s"),
    }),
    positional: {
      kind: "tuple",
      parameters: [{ parse: String, placeholder: "PATH", brief: "Executable to check" }],
    },
  },
  async func(flags, path) {
    // --timeout is the time for one run here, so the frame must not take it for the whole.
    const { timeout, ...frameFlags } = flags;
    await runVerb(this, frameFlags, async ({ output, signal }) => {
      const validate = await import("../src/validate/mod.ts");
      const report = await validate.validateBinary(path, {
        arch: flags.arch,
        forbidden: flags.forbid,
        isRunning: flags.noRun !== true,
        runTimeoutMs: durationFlag("--timeout", timeout),
        cwd: this.io.cwd,
        signal,
      });
      const useColor = isReportColored(this.io);
      output.result(
        "validate.binary",
        validate.binaryReportDocument(report),
        () => reportText(validate.renderBinaryReport(report, { useColor }), output.isQuiet),
      );
      return validate.binaryExitCode(report);
    });
  },
});
