/** What adapters of engines have in common. */
export * from "./address.ts";
export * from "./deadline.ts";
export * from "./dedup_id.ts";
export * from "./envelope.ts";
export * from "./in_flight.ts";
export * from "./known_shards.ts";
export * from "./limits.ts";
export * from "./link.ts";
export * from "./options.ts";
export * from "./poll_page.ts";
export * from "./stream_dedup.ts";
export * from "./write_progress.ts";
