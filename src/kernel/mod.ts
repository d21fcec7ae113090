/**
 * Services under supervision, their health and drain, exclusive use of a data folder, and the manager that started
 * the process.
 */
export * from "./data_folder.ts";
export * from "./drain.ts";
export * from "./health.ts";
export * from "./health_documents.ts";
export * from "./health_metrics.ts";
export * from "./manager/mod.ts";
export * from "./service.ts";
export * from "./supervisor.ts";
