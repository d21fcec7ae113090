/** Toolkits: folders of members, what their files say, and bringing executables into them. */
export * from "./manifest.ts";
export * from "./metadata.ts";
export * from "./names.ts";
export * from "./platform.ts";
export * from "./ports.ts";
export * from "./toolkit.ts";
