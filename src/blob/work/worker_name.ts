/** How a worker knows what it is; apart from the rest, because every start of the program asks. */

/** Name of the workers of a pool. */
export const WORK_WORKER_NAME = "net-blob-work";

/** True in a worker that a pool started. */
export function isWorkWorker(): boolean {
  const scope: { readonly name?: string; readonly postMessage?: unknown } = globalThis as never;
  return scope.name === WORK_WORKER_NAME && typeof scope.postMessage === "function";
}
