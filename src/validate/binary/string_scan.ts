/**
 * Looks through a file for texts that a release must not carry: home folders, private addresses, and
 * what the caller forbids (`validation.md` 6 and 8).
 *
 * Pure; the file comes in chunks of any size, and a text may lie across two of them.
 */
import { printable } from "../verdict.ts";

/** Rules, in the order they are reported. */
export type ScanRule = "home_path" | "private_address" | "forbidden_text";

/** One place. */
export interface ScanFinding {
  readonly rule: ScanRule;
  /** Byte in the file. */
  readonly offset: number;
  /** The text there, cleaned for a terminal. */
  readonly text: string;
}

/** Places kept of each rule. */
const FINDINGS_MAX = 10;

/** Bytes that the longest text looked for may have. */
export const FORBIDDEN_BYTES_MAX = 1024;

/** Bytes shown of a path. */
const SHOWN_BYTES = 80;

/** Kept of a chunk, so that what begins near its end is seen whole. */
const OVERLAP_BYTES = FORBIDDEN_BYTES_MAX + SHOWN_BYTES;

const HOME = /\/home\/[A-Za-z0-9_.-][!-~]{0,79}/g;

/** Four numbers of a private network (RFC 1918), not part of a longer row of numbers. */
const PRIVATE = /(?<![0-9.])(?:10|172|192)(?:\.[0-9]{1,3}){3}(?![0-9]|\.[0-9])/g;

/**
 * Scans what it is given.
 *
 * @example
 * ```ts
 * import { StringScan } from "./string_scan.ts";
 * const scan = new StringScan([]);
 * scan.push(new TextEncoder().encode("built in /home/ann/src"));
 * console.assert(scan.finish().counts.home_path === 1);
 * ```
 */
export class StringScan {
  readonly #forbidden: readonly string[];
  readonly #findings: ScanFinding[] = [];
  readonly #counts = new Map<ScanRule, number>();
  /** One character for each byte, as below. */
  readonly #decoder = new TextDecoder("latin1");
  #rest = "";
  /** Byte of the file that the rest begins with. */
  #offset = 0;
  /** True when the first character of the rest was scanned before. */
  #isSeen = false;

  /** @param forbidden Texts of up to {@linkcode FORBIDDEN_BYTES_MAX} bytes. */
  constructor(forbidden: readonly string[]) {
    this.#forbidden = forbidden.filter((text) => text !== "").map((text) =>
      this.#decoder.decode(new TextEncoder().encode(text))
    );
  }

  /** Takes the next bytes of the file. */
  push(bytes: Uint8Array<ArrayBuffer>): void {
    const text = this.#rest + this.#decoder.decode(bytes);
    const done = Math.max(0, text.length - OVERLAP_BYTES);
    this.#scan(text, done);
    // One character before stays, because it decides whether a number goes on.
    const kept = Math.max(0, done - 1);
    this.#rest = text.slice(kept);
    this.#offset += kept;
    this.#isSeen = kept < done;
  }

  /** Ends the file. */
  finish(): { readonly findings: readonly ScanFinding[]; readonly counts: ScanCounts } {
    this.#scan(this.#rest, this.#rest.length);
    return {
      findings: this.#findings,
      counts: {
        home_path: this.#counts.get("home_path") ?? 0,
        private_address: this.#counts.get("private_address") ?? 0,
        forbidden_text: this.#counts.get("forbidden_text") ?? 0,
      },
    };
  }

  /** Reports what begins before `end`. */
  #scan(text: string, end: number): void {
    const start = this.#isSeen ? 1 : 0;
    const report = (rule: ScanRule, index: number, found: string) => {
      if (index < start || index >= end) return;
      const count = (this.#counts.get(rule) ?? 0) + 1;
      this.#counts.set(rule, count);
      if (count > FINDINGS_MAX) return;
      this.#findings.push({ rule, offset: this.#offset + index, text: printable(found) });
    };
    for (const match of text.matchAll(HOME)) report("home_path", match.index, match[0]);
    for (const match of text.matchAll(PRIVATE)) {
      if (isPrivateHost(match[0])) report("private_address", match.index, match[0]);
    }
    for (const forbidden of this.#forbidden) {
      for (let at = text.indexOf(forbidden); at >= 0; at = text.indexOf(forbidden, at + 1)) {
        report("forbidden_text", at, forbidden);
      }
    }
  }
}

/** How often each rule was broken. */
export type ScanCounts = Readonly<Record<ScanRule, number>>;

/** An address of a host: networks and broadcasts are what every program about networks names. */
function isPrivateHost(text: string): boolean {
  const [first = 0, second = 0, third = 0, last = 0] = text.split(".").map(Number);
  if ([second, third, last].some((part) => part > 255)) return false;
  if (last === 0 || last === 255) return false;
  return first === 10 || (first === 192 && second === 168) ||
    (first === 172 && second >= 16 && second <= 31);
}
