/** Finding a way through NATs (`nrpc.md` 16). */
export * from "./types.ts";
