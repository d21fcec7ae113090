/** `net validate ipc ENDPOINT`: probes any member, ours or not (`validation.md` 5). */
import { buildCommand } from "@stricli/core";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, switchFlag, textFlag } from "./flags.ts";
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

interface ValidateIpcFlags extends MemberFlags {
  readonly expectName?: string;
  readonly capabilities?: boolean;
  readonly metadata?: string;
}

/** The verb. */
export const validateIpcCommand = buildCommand<ValidateIpcFlags, [string], NetContext>({
  docs: {
    brief: "Check that a member answers as its contract says",
    fullDescription: "Checks that a member answers as its contract says. ENDPOINT is HOST:PORT, " +
      "a socket's path, unix:PATH, @NAME, or a member's name. The exit code is 0 for COMPLIANT, " +
      "1 for NON-COMPLIANT, 2 for what is no endpoint.\n\n" +
      "EXAMPLES\n  net validate ipc 127.0.0.1:9900\n  net validate ipc net --rules strict\n" +
      "  net validate ipc /run/user/1000/biomeos/net.sock --json\n" +
      "  net validate ipc beardog --metadata plasmidBin/beardog",
  },
  parameters: {
    flags: bareRecord({
      ...MEMBER_FLAGS,
      expectName: textFlag("NAME", "Name the member must have"),
      capabilities: switchFlag("Also check the list of capabilities"),
      metadata: textFlag("FILE", "Compare with a metadata.toml, or with the one in a folder"),
      ...SHARED_FLAGS,
      timeout: textFlag("DURATION", "Time for one reply; default: 10s"),
    }),
    positional: {
      kind: "tuple",
      parameters: [{ parse: String, placeholder: "ENDPOINT", brief: "Member to probe" }],
    },
  },
  async func(flags, endpoint) {
    // --timeout is the time for one reply here, so the frame must not take it for the whole.
    const { timeout, ...frameFlags } = flags;
    await runVerb(this, frameFlags, async ({ output, signal }) => {
      const verdict = await this.doors.validateIpc(endpoint, {
        ...memberOptions(flags, timeout),
        expectName: flags.expectName,
        capabilities: flags.capabilities ?? false,
        metadataPath: flags.metadata,
        familySeed: await familySeedOf(this, flags.familySeedFile),
        isColor: isReportColored(this.io),
        env: memberEnv(this.io.env, flags.family),
        cwd: this.io.cwd,
        signal,
      });
      const text = () => reportText(verdict.text, output.isQuiet);
      output.result("validate.ipc", verdict.report, text);
      return verdict.isCompliant ? 0 : 1;
    });
  },
});
