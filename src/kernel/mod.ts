/** Services under supervision, and exclusive use of a data folder. */
export * from "./data_folder.ts";
export * from "./service.ts";
export * from "./supervisor.ts";
