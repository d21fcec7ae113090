/** Who holds what, and copies on purpose (`dataforts.md` 9, 15): what is said, chosen and asked. */
export * from "./copies_watch.ts";
export * from "./copy_blob.ts";
export * from "./copy_bytes.ts";
export * from "./copy_wire.ts";
export * from "./holder_tags.ts";
export {
  COPIES_MAX,
  COPY_REF_BYTES_MAX,
  COPY_SOURCES_MAX,
  HOLDER_TAGS_MAX,
  HOLDINGS_HASHES_MAX,
  WISHES_MAX,
} from "./limits.ts";
export * from "./replica_queries.ts";
export * from "./replica_targets.ts";
