/** Permission tokens, chains of them, and taking them back (`identity-and-channels.md` 3-7). */
export * from "./issue.ts";
export * from "./limits.ts";
export * from "./revocation_registry.ts";
export * from "./scope.ts";
export * from "./token.ts";
export * from "./token_chain.ts";
export * from "./token_error.ts";
export * from "./verify_chain.ts";
