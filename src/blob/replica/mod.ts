/** Who holds what, and copies on purpose (`dataforts.md` 9, 15): what is said, chosen and asked. */
export * from "./copy_wire.ts";
export * from "./holder_tags.ts";
export { COPIES_MAX, COPY_SOURCES_MAX, HOLDER_TAGS_MAX, HOLDINGS_HASHES_MAX } from "./limits.ts";
export * from "./replica_targets.ts";
