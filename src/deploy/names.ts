/**
 * Names that come out of files of a toolkit and go into paths, variables and messages.
 *
 * A member's name is never a path: no slash, no dot at the start, nothing a shell or a terminal minds.
 */
import { NetError } from "../base/mod.ts";

/** Longest name of a member, file or platform, in characters. */
export const NAME_LENGTH_MAX = 64;

const MEMBER = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const FILE = /^[A-Za-z0-9][A-Za-z0-9_.+-]{0,127}$/;

/** True for 1 to 64 letters, digits, `-` and `_`, the first a letter or digit. */
export function isMemberName(text: string): boolean {
  return MEMBER.test(text);
}

/** True for the name of one file without folder: as a member's, with `.` and `+`, up to 128 long. */
export function isFileName(text: string): boolean {
  return FILE.test(text);
}

/**
 * `text` when it is a member's name.
 *
 * @param where What said it, for the error: `[compositions.tower] primals` or `MEMBER`.
 * @throws NetError `usage`.
 */
export function requireMemberName(text: string, where: string): string {
  if (isMemberName(text)) return text;
  throw new NetError(
    "usage",
    `${where}: ${quote(text)} is no name of a member: must be 1 to ${NAME_LENGTH_MAX} letters, ` +
      "digits, - or _",
    { next: "name a member as in manifest.lock" },
  );
}

/** The prefix of a member's variables: `BEARDOG` for `beardog`, `MY_NODE` for `my-node`. */
export function variablePrefix(member: string): string {
  return member.toUpperCase().replaceAll("-", "_");
}

/** The variable that holds a member's port: `BEARDOG_PORT`. */
export function portVariable(member: string): string {
  return `${variablePrefix(member)}_PORT`;
}

/** A text of a stranger for a message: quoted, without control characters, at most 60 long. */
export function quote(text: string): string {
  const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  // JSON leaves the controls above ASCII as they are; a terminal obeys them.
  return JSON.stringify(shown).replace(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
