/**
 * Names in a channel folder that the reference does not know (`docs/redex.md`). Each begins with a character no
 * part of a channel name has, so no channel can be called like one.
 */

/** What was verified and is on the device of the live segment. */
export const CHECKPOINT_NAME = "@checkpoint";
/** A sync has failed since all was on the device. */
export const UNSURE_NAME = "@unsure";
/** Folder of full segments. */
export const SEALED_NAME = "@sealed";
/** A segment that is being written anew. */
export const FRESH_NAME = "@fresh";
/** What repair took out, when it was asked to keep it. */
export const TAKEN_NAME = "@taken";
/** The note in the folder of a full segment. */
export const SEAL_NAME = "seal";

/** A full segment that is being removed, and one that cannot be part of the log. */
export const GONE_SUFFIX = ".gone";
export const ASIDE_SUFFIX = ".aside";
/** A full segment written anew that is to take the place of the one without this suffix. */
export const NEW_SUFFIX = ".new";

const SEALED = /^([0-9]{20})-([0-9]{10})$/;

/** True for a name that only this engine makes. */
export function isOwnName(name: string): boolean {
  return name.startsWith("@");
}

/** Folder of a full segment: first number and generation. */
export function sealedName(firstSeq: number, generation: number): string {
  return `${String(firstSeq).padStart(20, "0")}-${String(generation).padStart(10, "0")}`;
}

/** First number and generation of a full segment when it was live; `undefined` for other names. */
export function parseSealedName(
  name: string,
): { readonly firstSeq: number; readonly generation: number } | undefined {
  const [, firstSeq, generation] = SEALED.exec(name) ?? [];
  if (firstSeq === undefined || generation === undefined) return undefined;
  return { firstSeq: Number(firstSeq), generation: Number(generation) };
}
