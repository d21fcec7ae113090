/** A file of the simulated disk: what readers see, what is on the device, and what lies between. */

/** Chance of a crash: a number from 0 to below 1. */
export type Chance = () => number;

/** A change of a file that is not on the device. */
export type Change =
  | { readonly kind: "write"; readonly offset: number; readonly bytes: Uint8Array; isLost: boolean }
  | { readonly kind: "truncate"; readonly size: number; isLost: boolean };

/** A file, whatever its names. */
export class Inode {
  /** In order, since the last sync. */
  changes: Change[] = [];

  constructor(
    /** As readers see it. */
    public cached: Uint8Array,
    /** As it is on the device. */
    public stored: Uint8Array,
  ) {}
}

/** Errors as the operating system's. */
export const simErrors = {
  noSpace: () => new Error("No space left on device (os error 28)"),
  io: () => new Error("Input/output error (os error 5)"),
  readOnly: () => new Error("Read-only file system (os error 30)"),
  denied: () => new Deno.errors.PermissionDenied("Permission denied (os error 13)"),
};

const INDEX_RECORD_BYTES = 20;

/** A file with these bytes, all of them on the device. */
export function createInode(bytes: Uint8Array = new Uint8Array(0)): Inode {
  return new Inode(bytes, bytes.slice());
}

/** Puts the first of the changes on the device, but those that a failed sync has lost. */
export function syncInode(inode: Inode, changes: readonly Change[]): void {
  for (const change of changes) {
    if (!change.isLost) inode.stored = changed(inode.stored, change);
  }
  inode.changes = inode.changes.slice(changes.length);
}

/** Changes a file as readers see it. */
export function changeInode(inode: Inode, change: Change): void {
  inode.cached = changed(inode.cached, change);
  inode.changes.push(change);
}

function changed(bytes: Uint8Array, change: Change): Uint8Array {
  const end = change.kind === "truncate" ? change.size : change.offset + change.bytes.length;
  if (change.kind === "truncate" && end <= bytes.length) return bytes.slice(0, end);
  const grown = new Uint8Array(Math.max(bytes.length, end));
  grown.set(bytes);
  if (change.kind === "write") grown.set(change.bytes, change.offset);
  return grown;
}

/** What a file is after the crash: on the device, with some of what was not synced. */
export function bytesAfterCrash({ stored, changes }: Inode, chance: Chance): Uint8Array {
  let bytes: Uint8Array = stored.slice();
  const kind = chance();
  // All, none, all up to one that is cut, or each by itself.
  const count = kind < 0.2
    ? changes.length
    : kind < 0.35
    ? 0
    : Math.floor(chance() * (changes.length + 1));
  const isScattered = kind > 0.7;
  for (const [at, change] of changes.entries()) {
    if (isScattered ? chance() < 0.5 : at < count) {
      bytes = changed(bytes, change);
      continue;
    }
    if (change.kind === "truncate" || (!isScattered && at > count)) continue;
    const part = torn(change, chance);
    if (kind >= 0.35 && part !== undefined) {
      const [start, end] = part;
      bytes = changed(bytes, {
        kind: "write",
        offset: change.offset + start,
        bytes: change.bytes.subarray(start, end),
        isLost: false,
      });
    }
  }
  return bytes;
}

/**
 * The part of a write that is kept: its beginning, or its end.
 *
 * An end begins where an index record may begin. Devices lose sectors, and one in some hundred of their
 * borders lies within the number of such a record; the checksum of the format covers payloads only, so that
 * nobody can tell the half number from a whole one.
 */
function torn(
  { offset, bytes: { length } }: Extract<Change, { kind: "write" }>,
  chance: Chance,
): [number, number] | undefined {
  const at = Math.floor(chance() * (length + 1));
  const kind = chance();
  if (kind < 0.4) return [0, at];
  if (kind >= 0.7) return undefined;
  const place = Math.ceil((offset + at) / INDEX_RECORD_BYTES) * INDEX_RECORD_BYTES - offset;
  return place < length ? [place, length] : undefined;
}
