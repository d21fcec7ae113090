/** Bounds of everything the channel plane keeps, each with its reason. */

/**
 * Pairs of principal and channel the AuthGuard remembers: 8 channels for each of 16,384 peers. A pair takes
 * two slots of 20 B and about 30 B by name, 9 MB together.
 */
export const AUTH_ENTRIES_MAX = 131_072;

/** Rules of a subnet policy: sixteen for each of the four levels. */
export const SUBNET_RULES_MAX = 64;

/** Nodes whose subnet is known: the nodes whose announcements are kept, 20 B each. */
export const SUBNET_ASSIGNMENTS_MAX = 16_384;

/** Channels a gateway exports, and subnets each is exported to: a table of at most 256 KB. */
export const EXPORTS_MAX = 1_024;
export const EXPORT_TARGETS_MAX = 64;
