/** Work on bytes that takes long. */
export * from "./work_pool.ts";
export { runWorkWorker, startWorkWorker } from "./worker.ts";
export { isWorkWorker } from "./worker_name.ts";
