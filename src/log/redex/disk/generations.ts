/**
 * Which generation of a channel folder is the live one (`storage.md` 3.2, steps 1 and 8), and the
 * manifest that says so.
 */
import type { Disk } from "../../../base/mod.ts";
import {
  decodeManifest,
  encodeManifest,
  generationName,
  MANIFEST_BYTES,
  MANIFEST_NAME,
  MANIFEST_TEMP_NAME,
  parseGenerationName,
  SEGMENT_FILE_NAMES,
} from "./record_format.ts";
import { removeAside } from "./remove_aside.ts";
import { replaceWhole, writeWhole } from "./whole_file.ts";

/** How the live generation was found. */
export interface ChosenGeneration {
  readonly generation: number;
  /** The manifest names it, so nothing has to be written. */
  readonly isNamed: boolean;
  /** Files of before there were generations have to be moved into it. */
  readonly isFlat: boolean;
}

/** Finds the live generation without changing anything; `undefined` when the folder has none. */
export function findGeneration(disk: Disk, folder: string): ChosenGeneration | undefined {
  const named = readManifest(disk, folder);
  if (named !== undefined && isComplete(disk, folder, named)) {
    return { generation: named, isNamed: true, isFlat: false };
  }
  const present = listGenerations(disk, folder);
  const complete = present.findLast((generation) => isComplete(disk, folder, generation));
  if (complete !== undefined) return { generation: complete, isNamed: false, isFlat: false };
  if (hasRecords(disk, folder)) return { generation: 1, isNamed: false, isFlat: true };
  // Without times it is worth as much; the reference starts anew here unless it is the first one.
  const timeless = present.findLast((generation) =>
    hasRecords(disk, `${folder}/${generationName(generation)}`)
  );
  if (timeless === undefined) return undefined;
  return { generation: timeless, isNamed: timeless === named, isFlat: false };
}

/** Finds or makes the live generation; its folder has all three files afterwards. */
export function openGeneration(disk: Disk, folder: string): number {
  disk.makeFolder(folder);
  const chosen = findGeneration(disk, folder) ?? { generation: 1, isNamed: false, isFlat: false };
  const { generation, isNamed, isFlat } = chosen;
  const live = `${folder}/${generationName(generation)}`;
  if (!isComplete(disk, folder, generation)) {
    disk.makeFolder(live);
    if (isFlat) moveFlatFiles(disk, folder, live);
    for (const name of SEGMENT_FILE_NAMES) disk.open(`${live}/${name}`, { create: true }).close();
  }
  // Names that are there may not be on the device: whoever made them was killed, or could not sync them.
  disk.syncFolder(live);
  disk.syncFolder(folder);
  if (!isNamed) writeManifest(disk, folder, generation);
  return generation;
}

/** The generation the manifest names; `undefined` when it is missing or none. */
export function readManifest(disk: Disk, folder: string): number | undefined {
  const path = `${folder}/${MANIFEST_NAME}`;
  if (disk.sizeOf(path) === undefined) return undefined;
  const file = disk.open(path, { readOnly: true });
  try {
    const bytes = new Uint8Array(MANIFEST_BYTES);
    return decodeManifest(bytes.subarray(0, file.readAt(0, bytes)));
  } finally {
    file.close();
  }
}

/** Makes a generation the live one, for good when it returns. */
export function writeManifest(disk: Disk, folder: string, generation: number): void {
  writeWhole(disk, folder, MANIFEST_NAME, encodeManifest(generation));
}

/**
 * Makes a generation the live one; false when its name may be lost in a crash, which then finds the one before.
 */
export function switchManifest(disk: Disk, folder: string, generation: number): boolean {
  replaceWhole(disk, folder, MANIFEST_NAME, encodeManifest(generation));
  try {
    disk.syncFolder(folder);
    return true;
  } catch {
    return false;
  }
}

/** Removes what other generations and a write that did not end left behind. */
export async function removeOtherGenerations(
  disk: Disk,
  folder: string,
  live: number,
): Promise<void> {
  for (const generation of listGenerations(disk, folder)) {
    if (generation !== live) await removeAside(disk, `${folder}/${generationName(generation)}`);
  }
  disk.remove(`${folder}/${MANIFEST_TEMP_NAME}`);
}

/** Generations that have a folder, ascending. */
export function listGenerations(disk: Disk, folder: string): number[] {
  const generations: number[] = [];
  for (const { name, isFolder } of disk.list(folder)) {
    const generation = isFolder ? parseGenerationName(name) : undefined;
    if (generation !== undefined) generations.push(generation);
  }
  return generations.sort((left, right) => left - right);
}

function isComplete(disk: Disk, folder: string, generation: number): boolean {
  const live = `${folder}/${generationName(generation)}`;
  return SEGMENT_FILE_NAMES.every((name) => disk.sizeOf(`${live}/${name}`) !== undefined);
}

function hasRecords(disk: Disk, folder: string): boolean {
  return disk.sizeOf(`${folder}/idx`) !== undefined && disk.sizeOf(`${folder}/dat`) !== undefined;
}

function moveFlatFiles(disk: Disk, folder: string, live: string): void {
  for (const name of SEGMENT_FILE_NAMES) {
    const flat = `${folder}/${name}`;
    if (disk.sizeOf(flat) !== undefined) disk.rename(flat, `${live}/${name}`);
  }
}
