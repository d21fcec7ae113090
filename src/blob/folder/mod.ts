/** Real folders as blobs, both ways. */
export * from "./folder_path.ts";
export * from "./folder_walk.ts";
export * from "./get_folder.ts";
export * from "./manifest_builder.ts";
export * from "./put_folder.ts";
