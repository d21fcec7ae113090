/** The log: channel files that are appended to, and the bus that gathers events. */
export * from "./bus/mod.ts";
export * from "./redex/mod.ts";
