/** `net doctor`: checks what a node needs on this machine and says what to do. */
import { buildCommand } from "@stricli/core";
import { placeOf } from "./connect.ts";
import type { NetContext } from "./context.ts";
import type { CheckResult } from "./doctor_checks.ts";
import { examinePeer } from "./doctor_peer.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { proposePeers } from "./peer_argument.ts";
import { ensureMeshSocket } from "./self_command.ts";
import { toStartArguments } from "./start_flags.ts";
import { runVerb } from "./verb.ts";

/** Time for all checks together. */
const CHECKS_MS = 15_000;

interface DoctorFlags extends SharedFlags {
  readonly peer?: string;
}

/** The verb. */
export const doctorCommand = buildCommand<DoctorFlags, [], NetContext>({
  docs: {
    brief: "Check what a node needs on this machine, or the way to a peer",
    fullDescription: "Checks what a node needs on this machine and says what to do. The exit " +
      "code is 1 when a check failed; warnings are fine.\n\n" +
      "With --peer it tells how the running node reaches that peer instead: the session, the " +
      "addresses that are known and who said so, the NATs of both sides, which ways were tried and " +
      "why each did or didn't work, and what to do. Ways are tried again where there is no direct " +
      "session. The exit code is 1 when something could be better, 6 without a session.\n\n" +
      "EXAMPLES\n  net doctor\n  net doctor --json\n  net doctor --peer 31a56ab7724a0b59",
  },
  parameters: {
    flags: bareRecord({
      peer: {
        kind: "parsed" as const,
        parse: String,
        optional: true as const,
        placeholder: "NODE",
        brief: "Tell how this node is reached: its id, or the first digits",
        proposeCompletions: proposePeers,
      },
      ...SHARED_FLAGS,
    }),
  },
  async func(flags) {
    if (flags.peer !== undefined) return await examinePeer(this, flags, flags.peer);
    await runVerb(this, flags, async ({ output, signal }) => {
      const { peer: _peer, ...shared } = flags;
      const [, , ...again] = toStartArguments(shared);
      try {
        ensureMeshSocket(this.doors.own, ["doctor", ...again]);
      } catch {
        // The check of UDP reports it, and the other checks still tell something.
      }
      const { CHECKS } = await import("./doctor_checks.ts");
      const place = placeOf(this, flags);
      const checks: CheckResult[] = [];
      for (const check of CHECKS) {
        signal.throwIfAborted();
        checks.push(await check({ context: this, flags, place, signal }));
      }
      const isHealthy = checks.every((check) => check.status !== "fail");
      output.result("doctor", { ok: isHealthy, checks }, () => doctorText(checks));
      return isHealthy ? 0 : 1;
    }, { timeoutMs: CHECKS_MS });
  },
});

/** Human text of all checks. */
export function doctorText(checks: readonly CheckResult[]): string {
  const width = Math.max(...checks.map((check) => check.name.length));
  return checks.map((check) => {
    const line = `${check.status.padEnd(4)}  ${check.name.padEnd(width)}  ${check.detail}`;
    return check.next === undefined ? line : `${line}\n${" ".repeat(width + 8)}next: ${check.next}`;
  }).join("\n");
}
