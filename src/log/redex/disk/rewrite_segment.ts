/**
 * Writes a segment anew without what is forgotten or damaged: the live one as the next generation
 * (`storage.md` 3.3), a full one in its place. What was there is whole until what is new is on the device.
 */
import type { Disk } from "../../../base/mod.ts";
import { SegmentCopy } from "./copy_segment.ts";
import { switchManifest } from "./generations.ts";
import { FRESH_NAME, NEW_SUFFIX } from "./own_names.ts";
import { generationName } from "./record_format.ts";
import { removeAsideQuietly } from "./remove_aside.ts";
import { createSegment, nextGeneration } from "./rotate_segment.ts";
import { removeReplaced, replaceSealedFolder } from "./sealed_folder.ts";
import { SealedSegment, writeSeal } from "./sealed_segment.ts";
import { Segment } from "./segment.ts";
import { openSegmentFiles } from "./segment_files.ts";
import type { SegmentList } from "./segment_list.ts";
import type { Slices } from "./slices.ts";

/** Rounds of copying what was appended during the last one, before and while nobody may sync. */
const ROUNDS_MAX = 8;
/** So few records are copied while nobody may append. */
const LAST_RECORDS = 2048;

/** What {@linkcode rewriteLive} and {@linkcode rewriteSealed} work with. */
export interface RewriteOptions {
  readonly disk: Disk;
  /** The channel's folder. */
  readonly folder: string;
  readonly segments: SegmentList;
  readonly slices: Slices;
  readonly action: string;
  /** Runs work while nobody else works on the files, syncs included. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
}

/**
 * Writes the live segment anew; false when it became a full one meanwhile and nothing was done.
 *
 * @param onSwitched Called with the new generation in the same turn in which its segment becomes the live one:
 * the next append may come before whoever waits for this goes on.
 */
export async function rewriteLive(
  options: RewriteOptions,
  generation: number,
  onSwitched: (generation: number) => void,
): Promise<boolean> {
  const { disk, folder, segments, slices, action, inTurn } = options;
  const next = nextGeneration(generation, action);
  const old = segments.live;
  const path = `${folder}/${generationName(next)}`;
  const aside = `${folder}/${FRESH_NAME}`;
  const fresh = createSegment(disk, aside);
  const copy = new SegmentCopy(old, fresh, segments.keepFrom);
  const copyRounds = async () => {
    for (let round = 0; round < ROUNDS_MAX && (round === 0 || copy.left > LAST_RECORDS); round++) {
      if (segments.live !== old) return;
      await copy.run(slices);
      await fresh.sync(slices);
    }
  };
  const switchOver = async () => {
    // What was synced meanwhile has to be on the device in the new place too.
    await copyRounds();
    if (segments.live !== old) return false;
    // Appended since: nobody was told yet that these are on the device.
    copy.finish();
    disk.syncFolder(aside);
    disk.remove(path);
    disk.rename(aside, path);
    disk.syncFolder(folder);
    segments.isLiveNamed = switchManifest(disk, folder, next);
    segments.replaceLive(fresh);
    onSwitched(next);
    fresh.moved(disk, path);
    old.close();
    return true;
  };
  try {
    await copyRounds();
    if (await inTurn(switchOver)) {
      if (segments.isLiveNamed) {
        await removeAsideQuietly(disk, `${folder}/${generationName(generation)}`);
      }
      return true;
    }
  } catch (error) {
    if (segments.live !== fresh) {
      fresh.close();
      await removeAsideQuietly(disk, aside);
      if (segments.live === old) await removeAsideQuietly(disk, path);
    }
    throw error;
  }
  fresh.close();
  await removeAsideQuietly(disk, aside);
  return false;
}

/** Writes a full segment anew. */
export async function rewriteSealed(options: RewriteOptions, old: SealedSegment): Promise<void> {
  const { disk, segments, slices } = options;
  const path = old.folder;
  const aside = `${path}${NEW_SUFFIX}`;
  // Opened for itself: readers close the other one when they need others.
  const source = new Segment(openSegmentFiles(disk, path, { readOnly: true }), old.content);
  let fresh: Segment | undefined;
  try {
    fresh = createSegment(disk, aside);
    await new SegmentCopy(source, fresh, segments.keepFrom).run(slices);
    await fresh.sync(slices);
    await writeSeal(disk, aside, old.generation, fresh);
    disk.syncFolder(path.slice(0, path.lastIndexOf("/")));
    replaceSealedFolder(disk, path);
  } catch (error) {
    await removeAsideQuietly(disk, aside);
    throw error;
  } finally {
    source.close();
    fresh?.close();
  }
  segments.replaceSealed(old, new SealedSegment(disk, path, old.generation, fresh.content));
  old.close();
  await removeReplaced(disk, path);
}
