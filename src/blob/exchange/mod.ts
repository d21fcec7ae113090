/** Blobs to and from folders that other programs use. */
export {
  type ChunkFolder,
  type ChunkFolderFormat,
  detectChunkFolder,
  openChunkFolder,
} from "./chunk_folder.ts";
export { type BlobNote, listBlobNotes, readBlobNote, writeBlobNote } from "./blob_note.ts";
export { exportBlob, type ExportBlobOptions, type ExportedBlob } from "./export_blob.ts";
export {
  importBlob,
  type ImportBlobOptions,
  type ImportWish,
  lonelyChunk,
  requireRef,
} from "./import_blob.ts";
