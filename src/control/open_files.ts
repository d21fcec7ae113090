/** How many connections the process has descriptors for (`validation.md` 2: backpressure, never a standstill). */
import { CONNECTIONS_MAX } from "./limits.ts";

/** Share of the descriptors that connections may have; the mesh, files and the HTTP port need the others. */
const FILES_SHARE = 0.5;

/**
 * Connections to allow: as many as there should be, or fewer where the process may open few files. Beyond that,
 * accepting fails for everybody, also for the node's own user.
 *
 * @param limits Text of `/proc/self/limits`; `undefined` where there is none.
 */
export function connectionsFor(limits: string | undefined): number {
  const files = /^Max open files\s+([0-9]+)/m.exec(limits ?? "")?.[1];
  if (files === undefined) return CONNECTIONS_MAX;
  return Math.max(16, Math.min(CONNECTIONS_MAX, Math.floor(Number(files) * FILES_SHARE)));
}

/** The limits of this process as the kernel tells them. */
export function ownLimits(): string | undefined {
  try {
    return Deno.readTextFileSync("/proc/self/limits");
  } catch {
    return undefined; // Not Linux, or no /proc: the usual bound stays.
  }
}
