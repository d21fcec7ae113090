/** Calls that are made again or elsewhere when that helps (`nrpc.md` 11, 14). */
export * from "./circuit_breaker.ts";
export { isRefusal, isRetryable } from "./failures.ts";
export * from "./hedge.ts";
export * from "./limits.ts";
export * from "./retry.ts";
export * from "./service_caller.ts";
export * from "./target_caller.ts";
