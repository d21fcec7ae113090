/**
 * The worker's side of the pool. From source a worker runs `worker_main.ts`; the bundle holds the same as a text
 * (`scripts/bundle.ts`), so that a worker starts within 50 ms. Where there is neither it is the program again,
 * which knows by its name what it is to be (`decisions.md` 26).
 */
import { fromSentJob, type JobMessage, runJob, type WorkerMessage } from "./jobs.ts";
import { holdQuickReader } from "../folder/_quick_reader.ts";
import { WORK_WORKER_NAME } from "./worker_name.ts";

/** The program of a worker, where `scripts/bundle.ts` has put it in. */
const EMBEDDED = "@net-work-worker@";

/** What is used of the worker's global object. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<JobMessage>) => void) | null;
  postMessage(message: WorkerMessage): void;
}

/** Takes jobs, one after the other, until it is terminated. */
export function runWorkWorker(): void {
  const scope: WorkerScope = globalThis as never;
  let isReading = false;
  scope.onmessage = ({ data: { id, job } }) => {
    // Held to the end of the worker.
    if (job.kind === "files" && !isReading) holdQuickReader();
    isReading ||= job.kind === "files";
    try {
      scope.postMessage({ kind: "done", id, result: runJob(fromSentJob(job)) });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      scope.postMessage({ kind: "failed", id, message });
    }
  };
  scope.postMessage({ kind: "ready" });
}

/**
 * Starts a worker, or tells by `undefined` that there is no file to start it from: in a bundle that is not
 * itself the program.
 */
export function startWorkWorker(): Worker | undefined {
  const { url } = import.meta;
  const options = { type: "module", name: WORK_WORKER_NAME } as const;
  if (url.endsWith("/src/blob/work/worker.ts")) {
    return new Worker(new URL("./worker_main.ts", url), options);
  }
  if (!EMBEDDED.startsWith("@")) {
    embeddedUrl ??= URL.createObjectURL(new Blob([EMBEDDED], { type: "text/javascript" }));
    return new Worker(embeddedUrl, options);
  }
  return url === Deno.mainModule ? new Worker(url, options) : undefined;
}

/** Where the text of a worker is, made on first use. */
let embeddedUrl: string | undefined;
