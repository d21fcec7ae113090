/** Permission tokens, chains of them, and taking them back (`identity-and-channels.md` 3-7). */
export * from "./delegation.ts";
export * from "./issue.ts";
export * from "./limits.ts";
export * from "./revocation_file.ts";
export * from "./revocation_list.ts";
export * from "./revocation_registry.ts";
export * from "./scope.ts";
export * from "./token.ts";
export * from "./token_cache.ts";
export * from "./token_chain.ts";
export * from "./token_error.ts";
export * from "./token_sweep.ts";
export * from "./verify_chain.ts";
