/**
 * The frame around every verb: printer, time limit, Ctrl-C, errors and exit code.
 */
import { NetError, toNetError } from "../src/base/mod.ts";
import type { NetContext } from "./context.ts";
import { durationFlag, type SharedFlags } from "./flags.ts";
import { createOutput, isColorWanted, type Output, renderError } from "./output.ts";

/** Time a verb has to clean up after it was told to stop. */
const CLEAN_UP_MS = 2000;

/** How often a verb that prints until it is stopped looks whether anybody reads it. */
const GONE_LOOK_MS = 500;

/** What the body of a verb works with. */
export interface VerbScope {
  readonly output: Output;
  /** Aborts on Ctrl-C and when the time is up. */
  readonly signal: AbortSignal;
  /** Gives the verb this much time from now on, unless `--timeout` says how much it has. */
  readonly allow: (timeoutMs: number) => void;
}

/** Options of {@linkcode runVerb}. */
export interface RunVerbOptions {
  /** Time limit without `--timeout`; none when left out. */
  readonly timeoutMs?: number;
  /** How much longer than `--timeout` the verb may take, where the node keeps that limit itself. */
  readonly graceMs?: number;
  /** True when the verb looks after signals and time by itself. */
  readonly isSelfTimed?: boolean;
  /** True when it prints until it is stopped, and so until nobody reads it any more. */
  readonly isEndless?: boolean;
  /** Time to clean up after an abort: 2 s when left out. */
  readonly cleanUpMs?: number;
}

/**
 * Runs the body of a verb; whatever it throws is printed and becomes the exit code.
 *
 * @param body Returns the exit code; nothing means 0.
 */
export async function runVerb(
  context: NetContext,
  flags: SharedFlags,
  body: (scope: VerbScope) => Promise<number | void>,
  options: RunVerbOptions = {},
): Promise<void> {
  const { io } = context;
  const isJson = flags.json ?? false;
  const output = createOutput(io, { isJson, isQuiet: flags.quiet ?? false });
  try {
    if (options.isSelfTimed) {
      context.exitCode = (await body({
        output,
        signal: new AbortController().signal,
        allow: () => {},
      })) ?? 0;
      return;
    }
    const givenMs = durationFlag("--timeout", flags.timeout);
    const timeoutMs = givenMs === undefined ? options.timeoutMs : givenMs + (options.graceMs ?? 0);
    const { isEndless = false, cleanUpMs = CLEAN_UP_MS } = options;
    const bounds = { timeoutMs, isEndless, cleanUpMs };
    context.exitCode = await runBounded(context, bounds, (signal, setTime) => {
      const allow = givenMs === undefined ? setTime : () => {};
      return body({ output, signal, allow });
    });
  } catch (error) {
    // Whoever read our output has seen enough, as with head.
    if (error instanceof Deno.errors.BrokenPipe) return;
    context.exitCode = reportError(context, error, isJson);
  }
}

/** Prints an error of any kind and returns its exit code. */
export function reportError(context: NetContext, error: unknown, isJson: boolean): number {
  if (error instanceof Interrupted) return error.exitCode;
  const netError = toNetError(error, "Cannot finish");
  context.io.writeErr(renderError(netError, { isJson, isColor: isColorWanted(context.io) }));
  return netError.exitCode;
}

/** A signal ended the verb. */
class Interrupted extends Error {
  override readonly name = "Interrupted";
  constructor(readonly exitCode: number) {
    super("interrupted");
  }
}

async function runBounded(
  context: NetContext,
  { timeoutMs, isEndless, cleanUpMs }: {
    readonly timeoutMs: number | undefined;
    readonly isEndless: boolean;
    readonly cleanUpMs: number;
  },
  body: (signal: AbortSignal, setTime: (timeoutMs: number) => void) => Promise<number | void>,
): Promise<number> {
  const { io } = context;
  const controller = new AbortController();
  const stop = (reason: Error) => {
    if (!controller.signal.aborted) controller.abort(reason);
  };
  const interrupt = (exitCode: number) => {
    // The second one does not wait for anybody.
    if (controller.signal.aborted) io.exit(exitCode);
    stop(new Interrupted(exitCode));
  };
  const releases = [
    io.onSignal("SIGINT", () => interrupt(130)),
    io.onSignal("SIGTERM", () => interrupt(143)),
  ];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const setTime = (limitMs: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      stop(
        new NetError("timeout", `Cannot finish: no result within ${limitMs} ms`, {
          next: "repeat with a longer --timeout",
        }),
      );
    }, limitMs);
  };
  if (timeoutMs !== undefined) setTime(timeoutMs);
  const looking = isEndless
    ? setInterval(() => {
      if (io.isOutGone()) stop(new Deno.errors.BrokenPipe("nobody reads the output any more"));
    }, GONE_LOOK_MS)
    : undefined;
  try {
    return await orAborted(body(controller.signal, setTime), controller.signal, cleanUpMs);
  } finally {
    clearTimeout(timer);
    clearInterval(looking);
    for (const release of releases) release();
  }
}

/** The body's result; after an abort it may clean up for a moment, then the abort's reason counts. */
async function orAborted(
  body: Promise<number | void>,
  signal: AbortSignal,
  cleanUpMs: number,
): Promise<number> {
  let cleanUpTimer: ReturnType<typeof setTimeout> | undefined;
  const outOfTime = new Promise<"late">((resolve) => {
    signal.addEventListener("abort", () => {
      cleanUpTimer = setTimeout(() => resolve("late"), cleanUpMs);
    }, { once: true });
  });
  try {
    const result = await Promise.race([body, outOfTime]);
    if (result === "late") {
      body.catch(() => {});
      throw signal.reason;
    }
    return result ?? 0;
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    clearTimeout(cleanUpTimer);
  }
}
