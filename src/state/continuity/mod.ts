/** Continuity of chains: proofs, forks, partitions and what comes after them (`storage.md` 8). */
export * from "./cone.ts";
export * from "./correlated_failures.ts";
export * from "./fork.ts";
export * from "./observation_window.ts";
export * from "./partitions.ts";
export * from "./proof.ts";
export * from "./propagation.ts";
export * from "./reconcile.ts";
export * from "./status.ts";
export * from "./superposition.ts";
