/** Bounds of what is kept of services that are called by name. */

/** Services whose nodes and counters are kept; beyond them the one asked for longest ago is forgotten. */
export const DISCOVERED_SERVICES_MAX = 1_024;
