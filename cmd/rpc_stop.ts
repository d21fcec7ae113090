/** How a verb that serves is stopped: patiently first, then at once (`decisions.md` 7). */
import { NetError } from "../src/base/mod.ts";
import type { Io } from "./io.ts";
import type { Output } from "./output.ts";

/** Exit code when `--timeout` has ended it. */
const TIMEOUT_EXIT = 7;

/** Whether and how it is to end. */
export interface Stop {
  /** Code to end with once a signal came. */
  readonly exitCode: number | undefined;
  /** Sets what the first signal does. */
  onPatient(action: () => void): void;
  release(): void;
}

/**
 * Listens to signals: the first ends patiently, the second at once, the third does not even wait for commands.
 *
 * @param forced Aborted when what runs must end.
 * @param timeoutMs After which it ends as by a signal.
 */
export function createStop(
  io: Io,
  output: Output,
  forced: AbortController,
  timeoutMs: number | undefined,
): Stop {
  let exitCode: number | undefined;
  let patient: (() => void) | undefined;
  const onSignal = (name: string, code: number, forcedCode: number) => {
    if (forced.signal.aborted) io.exit(forcedCode);
    if (exitCode === undefined && patient !== undefined) {
      exitCode = code;
      const again = code === TIMEOUT_EXIT ? "Ctrl-C" : "once more";
      output.note(`stopping (${name}): waiting for calls that run; ${again} ends them`);
      patient();
    } else {
      exitCode = forcedCode;
      forced.abort(new NetError("failed", `Stopped by ${name}`));
    }
  };
  const releases = [
    io.onSignal("SIGINT", () => onSignal("SIGINT", 130, 130)),
    io.onSignal("SIGTERM", () => onSignal("SIGTERM", 0, 143)),
  ];
  const timer = timeoutMs === undefined
    ? undefined
    : setTimeout(() => onSignal("--timeout", TIMEOUT_EXIT, TIMEOUT_EXIT), timeoutMs);
  return {
    get exitCode() {
      return exitCode;
    },
    onPatient: (action) => {
      patient = action;
    },
    release: () => {
      clearTimeout(timer);
      for (const release of releases) release();
    },
  };
}
