/**
 * Where the policy of blobs is kept over restarts: one setting of the ledger with the texts of what somebody
 * set. What nobody set is not written, so that it follows the defaults of the program.
 */
import * as v from "../../schema/mod.ts";
import { NetError, toNetError } from "../../base/mod.ts";
import {
  type DataPolicy,
  DEFAULT_DATA_POLICY,
  POLICY_FIELDS,
  setDataPolicy,
  showDataPolicy,
} from "../../blob/mod.ts";
import { type Ledger, readSetting, removeSetting, writeSetting } from "../../core/ledger/mod.ts";

/** A policy as it was kept, and keys in the record that this program does not take. */
export interface KeptPolicy {
  readonly policy: DataPolicy;
  /** Written by another version; they are left out. */
  readonly unknownKeys: readonly string[];
}

/** Keeps one policy. */
export interface PolicyMemory {
  /** @throws NetError `data_dir_unusable` when the record is damaged. */
  read(): Promise<KeptPolicy>;
  write(policy: DataPolicy): Promise<void>;
}

const SETTING = "data_policy";
/** More settings than there are is nothing that we wrote. */
const STORED = v.pipe(
  v.array(v.tuple([v.pipe(v.string(), v.maxLength(64)), v.pipe(v.string(), v.maxLength(16_384))])),
  v.maxLength(1_024),
);

/** Memory on a ledger. */
export function createPolicyMemory(ledger: Ledger): PolicyMemory {
  return {
    read: async () => {
      const text = await readSetting(ledger.db, SETTING);
      return text === undefined
        ? { policy: DEFAULT_DATA_POLICY, unknownKeys: [] }
        : readKeptPolicy(text);
    },
    write: async (policy) => {
      const changed = showDataPolicy(policy).filter(({ isDefault }) => !isDefault);
      if (changed.length === 0) return void await removeSetting(ledger.db, SETTING);
      const pairs = changed.map(({ key, value }) => [key, value]);
      await writeSetting(ledger.db, SETTING, JSON.stringify(pairs));
    },
  };
}

/**
 * What {@linkcode PolicyMemory.write} wrote.
 *
 * @throws NetError `data_dir_unusable` when it is damaged: a node that forgot its policy would move bytes that
 * somebody told it not to move.
 */
export function readKeptPolicy(text: string): KeptPolicy {
  try {
    const pairs = v.parse(STORED, JSON.parse(text));
    const known = new Set(POLICY_FIELDS.map(({ key }) => key));
    const unknownKeys = pairs.map(([key]) => key).filter((key) => !known.has(key));
    const taken = pairs.filter(([key]) => known.has(key));
    return { policy: setDataPolicy(DEFAULT_DATA_POLICY, taken), unknownKeys };
  } catch (cause) {
    const reason = toNetError(cause, "it is damaged").message;
    throw new NetError(
      "data_dir_unusable",
      `Cannot read the policy of blobs in net.db: ${reason}`,
      { cause, next: "restore net.db from a backup, or move it away and set the policy again" },
    );
  }
}
