/** Configurations of channels on the ledger. */
import {
  type ChannelConfig,
  CHANNELS_MAX,
  createChannelConfig,
  createPrefixConfig,
  isVisibility,
  PREFIXES_MAX,
  QUEUE_GROUP_POLICIES,
} from "../../channel/mod.ts";
import { toNetError } from "../../base/mod.ts";
import {
  type ChannelRecord,
  type Ledger,
  readChannels,
  removeChannel,
  writeChannel,
} from "../../core/ledger/mod.ts";
import type { Log } from "../../observe/mod.ts";
import type { ChannelMemory } from "./channel_deps.ts";

/** Memory on a ledger; rows that make no channel are left where they are and skipped. */
export function createChannelMemory({ db }: Ledger, log: Log): ChannelMemory {
  return {
    readChannels: async () => {
      const records = await readChannels(db, CHANNELS_MAX + PREFIXES_MAX);
      return records.flatMap((record) => {
        try {
          return [toConfig(record)];
        } catch (error) {
          const { message } = toNetError(error, "Cannot read channel");
          log.warn("channel_unreadable", { channel: record.name, reason: message });
          return [];
        }
      });
    },
    writeChannel: (config) => writeChannel(db, config),
    removeChannel: (name) => removeChannel(db, name),
  };
}

function toConfig(record: ChannelRecord): ChannelConfig {
  const { name, isPrefix, visibility, queueGroups, ...rest } = record;
  const create = isPrefix ? createPrefixConfig : createChannelConfig;
  return create(name, {
    ...rest,
    // A word of a later release must not open what it meant to close.
    visibility: isVisibility(visibility) ? visibility : "subnet-local",
    queueGroups: QUEUE_GROUP_POLICIES.find((policy) => policy === queueGroups) ?? "deny",
  });
}
