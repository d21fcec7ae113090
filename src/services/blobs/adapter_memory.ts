/**
 * The adapters that were added to a node, over restarts: two settings of the ledger. No secret is among them; a
 * store's credentials stay where its user keeps them.
 */
import * as v from "../../schema/mod.ts";
import { NetError } from "../../base/mod.ts";
import { type Ledger, readSetting, writeSetting } from "../../core/ledger/mod.ts";

const ID = v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/));
const PATH = v.pipe(v.string(), v.startsWith("/"), v.maxLength(4_096));
const text = (lengthMax: number) => v.pipe(v.string(), v.maxLength(lengthMax));
/** How an adapter is made. */
export const ADAPTER_SPEC = v.variant("kind", [
  v.strictObject({ kind: v.literal("noop"), id: ID }),
  v.strictObject({ kind: v.literal("file"), id: ID, folder: PATH }),
  v.strictObject({
    kind: v.literal("s3"),
    id: ID,
    bucket: text(63),
    region: v.optional(text(64), "us-east-1"),
    endpoint: v.optional(text(1_024)),
    path_style: v.optional(v.boolean()),
    prefix: v.optional(text(1_024)),
    /** File of profiles; the environment of the node otherwise. */
    credentials: v.optional(PATH),
    profile: v.optional(text(64)),
  }),
]);

/** A checked {@linkcode ADAPTER_SPEC}. */
export type AdapterSpec = v.InferOutput<typeof ADAPTER_SPEC>;

/** Adapters that can be added; a node needs a few. */
export const ADDED_ADAPTERS_MAX = 64;

/** Channels that can have one. */
export const ADAPTER_CHANNELS_MAX = 1_024;

/** Everything that is kept. */
export interface KeptAdapters {
  readonly adapters: readonly AdapterSpec[];
  /** Id of the adapter that the blobs of a channel are published with. */
  readonly channels: Readonly<Record<string, string>>;
}

/** Keeps them. */
export interface AdapterMemory {
  /** @throws NetError `data_dir_unusable` when the record is damaged. */
  read(): Promise<KeptAdapters>;
  write(kept: KeptAdapters): Promise<void>;
}

const SETTING = "blob_adapters";
const STORED = v.object({
  adapters: v.pipe(v.array(ADAPTER_SPEC), v.maxLength(ADDED_ADAPTERS_MAX)),
  channels: v.pipe(v.record(text(255), ID), v.maxEntries(ADAPTER_CHANNELS_MAX)),
});

/** Memory on a ledger. */
export function createAdapterMemory(ledger: Ledger): AdapterMemory {
  return {
    read: async () => {
      const stored = await readSetting(ledger.db, SETTING);
      if (stored === undefined) return { adapters: [], channels: {} };
      try {
        return v.parse(STORED, JSON.parse(stored));
      } catch (cause) {
        throw new NetError("data_dir_unusable", "Cannot read the adapters in net.db: damaged", {
          cause,
          next: "restore net.db from a backup, or move it away and add the adapters again",
        });
      }
    },
    write: (kept) => writeSetting(ledger.db, SETTING, JSON.stringify(kept)),
  };
}
