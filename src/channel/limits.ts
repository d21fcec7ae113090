/** Bounds of everything the channel plane keeps, each with its reason. */

/**
 * Pairs of principal and channel the AuthGuard remembers: 8 channels for each of 16,384 peers. A pair takes
 * two slots of 20 B and about 30 B by name, 9 MB together.
 */
export const AUTH_ENTRIES_MAX = 131_072;
