/** What a node says of itself while it takes no new work (docs/health.md). */

/** Said by nodes that drain: whoever chooses a node for work passes them over. */
export const TAG_DRAINING = "net.draining@1";
