/** Configuration: defaults, file, environment and flags become one frozen object. */
export * from "./blob_settings.ts";
export * from "./build.ts";
export * from "./config.ts";
export type { Layer, Origin } from "./layers.ts";
export * from "./log_settings.ts";
export * from "./parse.ts";
export * from "./paths.ts";
export * from "./secret.ts";
export type { StoreSettings } from "./store_settings.ts";
export * from "./toml.ts";
export * from "./version.ts";
