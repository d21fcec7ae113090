/** Differences between capability sets: to look at, and to apply (`capabilities.md` 5). */
export * from "./diff_apply.ts";
export * from "./diff_codec.ts";
export * from "./diff_create.ts";
export * from "./diff_ops.ts";
export * from "./set_diff.ts";
