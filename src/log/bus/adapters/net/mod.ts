/** The point-to-point adapter. */
export { createNetAdapter, type NetAdapter, type NetAdapterCounters } from "./adapter.ts";
export type { NetAdapterDeps, NetAdapterOptions } from "./options.ts";
