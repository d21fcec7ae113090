/** The process side of `line_process.ts`: answers JSON lines on stdin until it ends. */

import { decodeLine, encodeLine, readLines } from "./rust_protocol.ts";

/** Operations by name. */
export type LineHandlers = Readonly<Record<string, (args: never) => unknown>>;

/** Serves operations; ends the process when there are no more. */
export async function serveLines(handlers: LineHandlers): Promise<never> {
  for await (const line of readLines(Deno.stdin.readable)) {
    const { id, op, args } = decodeLine(line) as { id: number; op: string; args: never };
    const answer = (value: object) => Deno.stdout.write(encodeLine({ id, ...value }));
    Promise.resolve()
      .then(() => handlers[op]?.(args))
      .then((result) => answer({ result: result ?? null }))
      .catch((error) => answer({ error: String(error?.message ?? error) }));
  }
  Deno.exit(0);
}
