/** How many connections the process has descriptors for: never so many that nothing else can be opened. */

/**
 * Connections to allow: as many as there should be, or fewer where the process may open few files. Beyond that,
 * accepting fails for everybody, also for the node's own user.
 *
 * @param connectionsMax As many as there should be.
 * @param share Part of the descriptors that these connections may have, 0 to 1.
 * @param limits Text of `/proc/self/limits`, this process's when left out.
 */
export function connectionsFor(
  connectionsMax: number,
  share: number,
  limits = ownLimits(),
): number {
  const files = /^Max open files\s+([0-9]+)/m.exec(limits)?.[1];
  if (files === undefined) return connectionsMax;
  return Math.max(16, Math.min(connectionsMax, Math.floor(Number(files) * share)));
}

/** Empty where the system tells no limits. */
function ownLimits(): string {
  try {
    return Deno.readTextFileSync("/proc/self/limits");
  } catch {
    return ""; // Not Linux, or no /proc: the usual bound stays.
  }
}
