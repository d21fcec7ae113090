/** Starting programs through `node:child_process`, which alone can give a child a file for its output. */

/**
 * A program's path for `spawn` of `node:child_process`.
 *
 * Deno takes its own executable there for Node's and rewrites the arguments. Where that executable is this
 * program (`scripts/pack.ts`) they are the program's own; another text for the same file leaves them alone.
 */
export function spawnable(path: string, execPath = Deno.execPath()): string {
  const slash = path.lastIndexOf("/");
  return path !== execPath || slash < 0 ? path : `${path.slice(0, slash)}/.${path.slice(slash)}`;
}
