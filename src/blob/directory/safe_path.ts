/** Which paths of a hostile manifest may be written, and which names a file system takes for the same. */
import { NAME_BYTES_MAX, PATH_BYTES_MAX } from "../limits.ts";

/** Rules for names: what stands for a separator or a device differs. */
export type PathPlatform = "unix" | "windows";

/** What Windows gives a meaning of its own, anywhere in a name. */
// deno-lint-ignore no-control-regex
const WINDOWS_CHARACTERS = /[\u0000-\u001f<>:"|?*\\]/;
/** Devices, with any extension; dots and spaces at the end are dropped by the system. */
const WINDOWS_NAMES = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\.|$)|[. ]$/i;
/** Most names; for them all the rest changes nothing. */
const PLAIN_NAME = /^[ -~]*$/;
const ENCODER = new TextEncoder();

/**
 * The names of a relative path that stays where it is put; `undefined` for any other: empty, absolute, with
 * `..`, with `.` in front, with a zero byte, or longer than a file system takes.
 *
 * Doubled and trailing separators, and `.` further on, mean nothing and are left out.
 *
 * @example
 * ```ts
 * import { safeNames } from "./safe_path.ts";
 * console.assert(safeNames("a//b/")?.join() === "a,b");
 * console.assert(safeNames("a/../../b") === undefined);
 * ```
 */
export function safeNames(
  path: string,
  platform: PathPlatform = "unix",
): readonly string[] | undefined {
  if (isTooLong(path)) return undefined;
  const parts = path.split("/");
  if (parts[0] === "" || parts[0] === ".") return undefined;
  const names = parts.filter((part) => part !== "" && part !== ".");
  return names.every((name) => isSafeName(name, platform)) ? names : undefined;
}

/** True for a path, or the target of a link, that no file system takes. */
export function isTooLong(path: string): boolean {
  return path.length > PATH_BYTES_MAX || byteLength(path) > PATH_BYTES_MAX;
}

/** True for a name of one file or folder that cannot lead anywhere else. */
export function isSafeName(name: string, platform: PathPlatform = "unix"): boolean {
  if (name === "" || name === "." || name === ".." || /[\0/]/.test(name)) return false;
  if (byteLength(name) > NAME_BYTES_MAX) return false;
  return platform === "unix" || !(WINDOWS_CHARACTERS.test(name) || WINDOWS_NAMES.test(name));
}

/**
 * What names have in common that some file system takes for the same: case, composed or decomposed
 * letters, characters that are not shown.
 *
 * Wider than any one of them: `ſ` and `s`, `ß` and `ss` are the same here. Two names that differ are the
 * same nowhere.
 */
export function foldName(name: string): string {
  if (PLAIN_NAME.test(name)) return name.toLowerCase();
  return name.normalize("NFC")
    .replace(/\p{Default_Ignorable_Code_Point}/gu, "")
    .toUpperCase().toLowerCase()
    .normalize("NFC");
}

function byteLength(text: string): number {
  // Three bytes a unit at most: most texts need no look.
  return text.length * 3 <= NAME_BYTES_MAX ? text.length : ENCODER.encode(text).length;
}
