/** Services under supervision, exclusive use of a data folder, and the manager that started the process. */
export * from "./data_folder.ts";
export * from "./manager/mod.ts";
export * from "./service.ts";
export * from "./supervisor.ts";
