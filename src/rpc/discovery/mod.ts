/** Which nodes a call by name may go to (`nrpc.md` 11). */
export * from "./limits.ts";
export * from "./routing.ts";
export * from "./service_directory.ts";
