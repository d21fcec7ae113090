/** What moves, stays and goes: the policies of blobs, as pure decisions (`dataforts.md` 9, 10, 15 to 21). */
export * from "./bandwidth.ts";
export * from "./blob_metrics.ts";
export * from "./data_claims.ts";
export * from "./data_policy.ts";
export * from "./durability.ts";
export * from "./gc.ts";
export * from "./greedy.ts";
export * from "./health_gate.ts";
export * from "./heat.ts";
export * from "./heat_registry.ts";
export * from "./migration.ts";
export * from "./move_ledger.ts";
export * from "./overflow.ts";
export * from "./overflow_wire.ts";
export * from "./scope.ts";
export * from "./verdicts.ts";
export * from "./warm_cache.ts";
