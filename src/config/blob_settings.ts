/** Settings of blobs: how long what nothing needs stays, and how often that is looked for. */
import type { Layers } from "./layers.ts";
import { parseDuration } from "./parse.ts";

/** Settings of blobs; what is `undefined` follows the service. */
export interface BlobSettings {
  /** Time that chunks nothing needs stay, in milliseconds; 0 for none. */
  readonly blobRetentionMs: number | undefined;
  /** Time between collections in milliseconds; 0 for never by itself. */
  readonly blobGcMs: number | undefined;
}

const GC_MS_MIN = 1_000;
const GC_MS_MAX = 86_400_000;

/** Reads the settings of blobs. */
export function readBlobSettings(layers: Layers): BlobSettings {
  return {
    blobRetentionMs: layers.read(
      "blobRetention",
      parseDuration,
      "must be a duration of at most 30d, such as 24h or 0s",
    ),
    blobGcMs: layers.read(
      "blobGc",
      parseGcEvery,
      "must be a duration from 1s to 24h, or never",
    ),
  };
}

function parseGcEvery(text: string): number | undefined {
  if (text === "never") return 0;
  const ms = parseDuration(text);
  return ms !== undefined && ms >= GC_MS_MIN && ms <= GC_MS_MAX ? ms : undefined;
}
