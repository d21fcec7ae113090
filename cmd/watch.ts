/** Verbs that show what a method of the running node answers, once or again every second. */
import { pause } from "../src/base/mod.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { type SharedFlags, switchFlag } from "./flags.ts";
import { recordOf } from "./format.ts";
import type { Output } from "./output.ts";
import { runVerb } from "./verb.ts";

/** Time a running node has to answer. */
const ANSWER_MS = 10_000;

/** How often `--watch` looks. */
const WATCH_MS = 1_000;

/** Clears the screen and goes to its top; only on a terminal. */
const CLEAR = "\x1b[2J\x1b[H";

/** Values of the flags of such a verb. */
export interface WatchFlags extends SharedFlags {
  readonly watch?: boolean;
}

/** The flag that repeats. */
export const WATCH_FLAG = switchFlag("Show them again every second, until Ctrl-C");

/** Members of an answer. */
export type Answer = Readonly<Record<string, unknown>>;

/** One look at the node, and the one before where there was one. */
export interface Look {
  readonly answer: Answer;
  readonly before: Answer | undefined;
  /** Seconds since the one before. */
  readonly seconds: number;
}

/** What is asked and how it is shown. */
export interface WatchOptions {
  readonly method: string;
  /** Words of the verb joined by dots, for its document; the method when left out. */
  readonly verb?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  /** Human text of one look. */
  readonly text: (look: Look) => string;
  /** Called behind each printed look; a throw ends the verb. */
  readonly check?: (look: Look, output: Output) => void;
}

/** Runs such a verb. */
export async function runWatch(
  context: NetContext,
  flags: WatchFlags,
  options: WatchOptions,
): Promise<void> {
  const { io } = context;
  const { method, verb = method, params = {}, text, check } = options;
  await runVerb(context, flags, async ({ output, signal }) => {
    const node = await connectNode(context, flags, signal);
    const isScreen = flags.watch && io.isStdoutTerminal && !output.isJson;
    let before: Answer | undefined;
    let atMs = 0;
    try {
      for (;;) {
        const answer = recordOf(await node.call(method, params, { signal }));
        const nowMs = io.now();
        const look = { answer, before, seconds: (nowMs - atMs) / 1000 };
        // Elsewhere an empty line stands between two looks.
        if (isScreen) io.writeOut(CLEAR);
        else if (before !== undefined && !output.isJson) io.writeOut("\n");
        output.result(verb, answer, () => text(look));
        check?.(look, output);
        if (!flags.watch) return;
        before = answer;
        atMs = nowMs;
        await pause(WATCH_MS, signal);
      }
    } finally {
      await node.close();
    }
  }, flags.watch ? { isEndless: true } : { timeoutMs: ANSWER_MS });
}
