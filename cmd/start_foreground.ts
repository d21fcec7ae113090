/** `net start --foreground` and `--capabilities-only`: a member's program in front of the caller. */
import { NetError } from "../src/base/mod.ts";
import type { StartPlan, StartProgram } from "../src/deploy/mod.ts";
import type { NetContext } from "./context.ts";
import { deployModule } from "./member_common.ts";
import type { Output } from "./output.ts";

/** Output of `capabilities` that is read. */
const OUTPUT_BYTES_MAX = 256 * 1024;

/** Time it has. */
const CAPABILITIES_MS = 10_000;

/**
 * Runs a member with the caller's own streams until it ends.
 *
 * @returns Its exit code.
 * @throws NetError `usage` with `--json`, because standard output is the member's.
 */
export async function runInForeground(
  { io }: NetContext,
  member: string,
  plan: StartPlan,
  output: Output,
): Promise<number> {
  if (output.isJson) {
    throw new NetError("usage", "Cannot use --json with --foreground: the output is the member's", {
      next: "leave one of them out",
    });
  }
  const { memberEnvironment } = await deployModule();
  const [program, ...args] = plan.command;
  const child = new Deno.Command(program, {
    args,
    clearEnv: true,
    env: { ...memberEnvironment(member, io.env, plan.env) },
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  const pass = (signal: Deno.Signal) => () => {
    try {
      child.kill(signal);
    } catch {
      // It has ended.
    }
  };
  // A terminal sends Ctrl-C to both of us, so only others' signals are passed on.
  const onInterrupt = io.isStdinTerminal ? () => {} : pass("SIGINT");
  const releases = [
    io.onSignal("SIGTERM", pass("SIGTERM")),
    io.onSignal("SIGINT", onInterrupt),
  ];
  try {
    return (await child.status).code;
  } finally {
    for (const release of releases) release();
  }
}

/**
 * Prints what a program says it can do.
 *
 * @throws NetError `usage` when the program has no such mode, `failed` when it does not tell.
 */
export async function capabilitiesOnly(
  { io }: NetContext,
  { member, program, metadata }: StartProgram,
  output: Output,
  signal: AbortSignal,
): Promise<number> {
  if (!metadata?.genomeBin?.unibinModes?.includes("capabilities")) {
    throw new NetError(
      "usage",
      `Cannot use --capabilities-only with "${member}": its metadata names no mode "capabilities"`,
      { next: `ask a running one with net validate ipc ${member} --capabilities` },
    );
  }
  const { cleanLine, memberEnvironment } = await deployModule();
  const [file, ...args] = program;
  const within = AbortSignal.any([signal, AbortSignal.timeout(CAPABILITIES_MS)]);
  const child = new Deno.Command(file, {
    args: [...args, "capabilities"],
    clearEnv: true,
    env: { ...memberEnvironment(member, io.env, {}) },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
    signal: within,
  }).spawn();
  const text = await readUpTo(child.stdout, OUTPUT_BYTES_MAX);
  const { success, code } = await child.status;
  signal.throwIfAborted();
  if (!success) {
    throw new NetError("failed", `Cannot ask "${member}": it ended with exit code ${code}`, {
      next: "run its executable with the word capabilities to see why",
    });
  }
  const lines = text.split("\n").filter((line) => line !== "").map(cleanLine);
  output.result("start", { name: member, member, capabilities: lines }, () => lines.join("\n"));
  return 0;
}

async function readUpTo(stream: ReadableStream<Uint8Array>, bytesMax: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  for await (const part of stream) {
    // The rest is read and dropped, so that the program can end.
    if (length < bytesMax) {
      text += decoder.decode(part.subarray(0, bytesMax - length), { stream: true });
    }
    length += part.length;
  }
  return text;
}
