/** Chunks that lie in files that gets made, until the store has taken them over. */
export * from "./lent_chunks.ts";
export type { LentPlace } from "./lent_list.ts";
