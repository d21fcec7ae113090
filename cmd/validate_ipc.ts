/** `net validate ipc ENDPOINT`: probes any member, ours or not (`validation.md` 5). */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
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
import { isColorWanted } from "./output.ts";
import { runVerb } from "./verb.ts";

interface ValidateIpcFlags extends SharedFlags {
  readonly rules?: string;
  readonly profile?: string;
  readonly deadline?: string;
  readonly connectTimeout?: string;
  readonly maxLine?: string;
  readonly expectName?: string;
  readonly capabilities?: boolean;
  readonly requireHealthy?: boolean;
}

/** Rule sets, the mildest first. */
const RULES = ["reference", "standard", "strict"] as const;

/** Longest line that may be asked for. */
const LINE_BYTES_MAX = 64 * 1024 * 1024;

/** The verb. */
export const validateIpcCommand = buildCommand<ValidateIpcFlags, [string], NetContext>({
  docs: {
    brief: "Check that a member answers as its contract says",
    fullDescription: "Checks that a member answers as its contract says. ENDPOINT is HOST:PORT, " +
      "a socket's path, unix:PATH, or a member's name. The exit code is 0 for COMPLIANT.\n\n" +
      "EXAMPLES\n  net validate ipc 127.0.0.1:9900\n  net validate ipc net --rules strict\n" +
      "  net validate ipc /run/user/1000/biomeos/net.sock --json",
  },
  parameters: {
    flags: bareRecord({
      rules: textFlag("reference|standard|strict", "Rule set; default: standard"),
      profile: hiddenTextFlag("reference|standard|strict", "Same as --rules"),
      deadline: textFlag("DURATION", "Time for the whole run; default: 5s"),
      connectTimeout: textFlag("DURATION", "Time for one connection"),
      maxLine: textFlag("SIZE", "Longest reply line, such as 64KiB; default: 1MiB"),
      expectName: textFlag("NAME", "Name the member must have"),
      capabilities: switchFlag("Also check the list of capabilities"),
      requireHealthy: switchFlag("A member that is not healthy is not compliant"),
      ...SHARED_FLAGS,
      timeout: textFlag("DURATION", "Time for one reply"),
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
        rules: rulesOf(oneSpelling({ "--rules": flags.rules, "--profile": flags.profile })),
        deadlineMs: durationFlag("--deadline", flags.deadline),
        connectTimeoutMs: durationFlag("--connect-timeout", flags.connectTimeout),
        replyTimeoutMs: durationFlag("--timeout", timeout),
        maxLineBytes: sizeOf("--max-line", flags.maxLine),
        expectName: flags.expectName,
        capabilities: flags.capabilities ?? false,
        requireHealthy: flags.requireHealthy ?? false,
        isColor: isColorWanted(this.io) && this.io.isStdoutTerminal,
        env: this.io.env,
        cwd: this.io.cwd,
        signal,
      });
      output.result("validate.ipc", verdict.report, () => verdict.text.trimEnd());
      return verdict.isCompliant ? 0 : 1;
    });
  },
});

function rulesOf(text: string | undefined): typeof RULES[number] {
  const rules = RULES.find((name) => name === (text ?? "standard"));
  if (rules !== undefined) return rules;
  throw new NetError(
    "usage",
    `Cannot use --rules: value is "${text}", must be one of ${RULES.join(", ")}`,
    { next: "leave --rules out for standard" },
  );
}

function sizeOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const match = /^([0-9]{1,9})(B|KiB|MiB)?$/i.exec(text);
  const unit = { b: 1, kib: 1024, mib: 1024 * 1024 }[(match?.[2] ?? "b").toLowerCase()] ?? 1;
  const bytes = Number(match?.[1] ?? 0) * unit;
  if (bytes > 0 && bytes <= LINE_BYTES_MAX) return bytes;
  throw new NetError("usage", `Cannot use ${name}: value is "${text}", must be 1B to 64MiB`, {
    next: `write for example ${name} 64KiB`,
  });
}
