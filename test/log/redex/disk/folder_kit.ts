/** Channel folders made by hand on a simulated disk, for tests. */
import type { Disk } from "../../../../src/base/mod.ts";
import { SimDisk } from "../../../sim/sim_disk.ts";
import { FOLDER } from "./fault_run.ts";
import { openStore, payloadOf } from "./store_kit.ts";

/** The bytes of a file. */
export function readFile(disk: Disk, path: string): Uint8Array<ArrayBuffer> {
  const file = disk.open(path, { readOnly: true });
  const bytes = new Uint8Array(file.size());
  file.readAt(0, bytes);
  file.close();
  return bytes;
}

/** Changes bytes of a file, or adds some at its end. */
export function writeFile(disk: Disk, path: string, offset: number, bytes: Uint8Array): void {
  const file = disk.open(path, { create: true });
  file.writeAt(offset < 0 ? file.size() : offset, bytes);
  file.close();
}

/** A disk with a log of `count` records of 16 bytes that was closed. */
export async function createLog(count: number, segmentBytesMax?: number): Promise<SimDisk> {
  const disk = new SimDisk();
  disk.makeFolder(FOLDER);
  const store = await openStore(FOLDER, { disk, segmentBytesMax });
  for (let i = 0; i < count; i++) store.append([payloadOf(i)], BigInt(i + 1));
  await store.close();
  return disk;
}
