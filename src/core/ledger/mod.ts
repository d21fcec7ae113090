/** The node's own records in SQLite: opening, migrations, peers, settings. */
export * from "./announcements.ts";
export * from "./channels.ts";
export * from "./chunk_rows.ts";
export * from "./fold_snapshots.ts";
export * from "./ledger.ts";
export * from "./peers.ts";
export * from "./schema.ts";
export * from "./settings.ts";
export * from "./subnet_exports.ts";
