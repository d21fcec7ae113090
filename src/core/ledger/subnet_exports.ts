/** The export table of a gateway between subnets (`identity-and-channels.md` 14), kept over restarts. */
import { idToHex } from "../../base/mod.ts";
import type { LedgerDb } from "./ledger.ts";

/** One channel and one subnet it is exported to. */
export interface SubnetExportRecord {
  /** Canonical hash of the channel. */
  readonly hash: bigint;
  /** Its name; empty when only the hash was given. */
  readonly name: string;
  /** Subnet of the topology, 32 bits. */
  readonly target: number;
}

/** Every export, by channel. */
export async function readSubnetExports(
  db: LedgerDb,
  countMax: number,
): Promise<SubnetExportRecord[]> {
  const rows = await db.selectFrom("subnet_export").selectAll()
    .orderBy("channel_hash").orderBy("target").limit(countMax).execute();
  return rows.map(({ channel_hash, name, target }) => ({
    hash: BigInt(`0x${channel_hash}`),
    name,
    target,
  }));
}

/** Adds an export; one that is there stays. */
export async function addSubnetExport(
  db: LedgerDb,
  { hash, name, target }: SubnetExportRecord,
): Promise<void> {
  await db.insertInto("subnet_export")
    .values({ channel_hash: idToHex(hash), name, target })
    .onConflict((conflict) => conflict.columns(["channel_hash", "target"]).doNothing()).execute();
}

/** Removes an export, or with no target all of the channel. */
export async function removeSubnetExport(
  db: LedgerDb,
  hash: bigint,
  target: number | undefined,
): Promise<void> {
  let query = db.deleteFrom("subnet_export").where("channel_hash", "=", idToHex(hash));
  if (target !== undefined) query = query.where("target", "=", target);
  await query.execute();
}
