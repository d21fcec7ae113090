/** `net validate composition NAME|FILE|DIR`: probes members together (`validation.md` 6). */
import { buildCommand } from "@stricli/core";
import type { ResolvedComposition } from "../src/deploy/mod.ts";
import type { ValidateCompositionOptions } from "../src/validate/mod.ts";
import type { NetContext } from "./context.ts";
import {
  bareRecord,
  durationFlag,
  hiddenTextFlag,
  oneSpelling,
  SHARED_FLAGS,
  type SharedFlags,
  switchFlag,
  textFlag,
} from "./flags.ts";
import { deployModule, proposeCompositions, toolkitFolder, warnOfPorts } from "./member_common.ts";
import { isReportColored, rulesOf } from "./validate_common.ts";
import { runVerb } from "./verb.ts";

interface ValidateCompositionFlags extends SharedFlags {
  readonly rules?: string;
  readonly profile?: string;
  readonly deadline?: string;
  readonly connectTimeout?: string;
  readonly requireHealthy?: boolean;
  readonly cross?: boolean;
  readonly toolkit?: string;
}

/** The verb. */
export const validateCompositionCommand = buildCommand<
  ValidateCompositionFlags,
  [string],
  NetContext
>({
  docs: {
    brief: "Check that the members of a composition work together",
    fullDescription: "Checks every member of a composition, and that each finds what it needs at " +
      "another. It is a name of the toolkit's manifest.lock, solo, mesh or tower, a .toml or " +
      ".json file, or the folder of a toolkit. The exit code is 0 when all are compliant and " +
      "healthy, 1 when not, 2 when there is no such composition.\n\n" +
      "EXAMPLES\n  net validate composition mesh\n  net validate composition nest --toolkit plasmidBin\n" +
      "  net validate composition ./team.toml --cross --json",
  },
  parameters: {
    flags: bareRecord({
      rules: textFlag("reference|standard|strict", "Rule set for each member; default: standard"),
      profile: hiddenTextFlag("reference|standard|strict", "Same as --rules"),
      deadline: textFlag("DURATION", "Time for everything; default: 5s for each 16 members"),
      connectTimeout: textFlag("DURATION", "Time for one connection"),
      requireHealthy: switchFlag("A member that is not healthy is not compliant"),
      cross: switchFlag("Call one read-only method for each need at the member that has it"),
      toolkit: textFlag("DIR", "Folder with manifest.lock, metadata and ports.env"),
      ...SHARED_FLAGS,
      timeout: textFlag("DURATION", "Time for one reply"),
    }),
    positional: {
      kind: "tuple",
      parameters: [{
        parse: String,
        proposeCompletions: proposeCompositions,
        placeholder: "NAME|FILE|DIR",
        brief: "Composition to check",
      }],
    },
  },
  async func(flags, text) {
    // --timeout is the time for one reply here, so the frame must not take it for the whole.
    const { timeout, ...frameFlags } = flags;
    await runVerb(this, frameFlags, async ({ output, signal }) => {
      const deploy = await deployModule();
      const rules = rulesOf(oneSpelling({ "--rules": flags.rules, "--profile": flags.profile }));
      const resolved = await deploy.resolveComposition(text, {
        cwd: this.io.cwd,
        toolkit: await toolkitFolder(this, flags.toolkit),
      });
      const registry = await deploy.readRegistry(resolved.toolkit);
      warnOfPorts(output, registry.ports.warnings);
      const verdict = await validateResolved(this, resolved, {
        registry,
        rules,
        deadlineMs: durationFlag("--deadline", flags.deadline),
        connectTimeoutMs: durationFlag("--connect-timeout", flags.connectTimeout),
        replyTimeoutMs: durationFlag("--timeout", timeout),
        requireHealthy: flags.requireHealthy ?? false,
        isCross: flags.cross ?? false,
        family: flags.family,
        signal,
      });
      output.result("validate.composition", verdict.document, () => verdict.text);
      return verdict.exitCode;
    });
  },
});

/** What a validation gave. */
export interface CompositionVerdict {
  /** The document `net.validate.composition.v1`. */
  readonly document: object;
  /** The same for people, without the last newline. */
  readonly text: string;
  readonly exitCode: number;
}

/** Validates a composition that was found. */
export async function validateResolved(
  { io }: NetContext,
  { composition, toolkit }: ResolvedComposition,
  options: Omit<ValidateCompositionOptions, "toolkit" | "env" | "cwd">,
): Promise<CompositionVerdict> {
  const validate = await import("../src/validate/mod.ts");
  const report = await validate.validateComposition(composition, {
    ...options,
    toolkit,
    env: io.env,
    cwd: io.cwd,
  });
  const useColor = isReportColored(io);
  return {
    document: validate.compositionDocument(report),
    text: validate.renderComposition(report, { useColor }).trimEnd(),
    exitCode: validate.compositionExitCode(report),
  };
}
