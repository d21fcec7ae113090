/**
 * Traces of the machine that something was built on: folders, names, addresses of its network
 * (`validation.md` V34, `promises-standards.md` V-i).
 */

/** What to look for. */
export interface TraceNeedle {
  readonly what: string;
  readonly pattern: RegExp;
}

/** One find. */
export interface Trace {
  readonly what: string;
  /** Offset of its first byte. */
  readonly offset: number;
  /** The find with a little around it; other characters are dots. */
  readonly text: string;
}

/** The machine that something was built on. */
export interface BuildPlace {
  readonly folder: string;
  readonly home: string | undefined;
  readonly user: string | undefined;
  readonly host: string | undefined;
}

/** Most finds that are told of one file. */
const TRACES_MAX = 20;
/** Shorter names are part of other words everywhere. */
const NAME_LENGTH_MIN = 4;
/** Names that say nothing, and are words of programs. */
const COMMON_NAMES = [
  "root",
  "build",
  "builder",
  "runner",
  "user",
  "admin",
  "node",
  "deno",
  "test",
  "localhost",
];

/** The needles for a build at a place; the general ones for every build are among them. */
export function traceNeedles({ folder, home, user, host }: BuildPlace): readonly TraceNeedle[] {
  const needles: TraceNeedle[] = [
    { what: "a home folder", pattern: /\/(?:home|Users)\/[A-Za-z0-9_.-]+/g },
    {
      what: "an address of a private network",
      pattern:
        /(?<![\d.])(?:10\.\d{1,3}|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d{1,3}\.\d{1,3}(?![\d.])/g,
    },
  ];
  const add = (what: string, text: string | undefined, isWord: boolean) => {
    if (text === undefined || text.length < NAME_LENGTH_MIN || COMMON_NAMES.includes(text)) return;
    const escaped = text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
    const source = isWord ? `(?<![A-Za-z0-9_-])${escaped}(?![A-Za-z0-9_-])` : escaped;
    needles.push({ what, pattern: new RegExp(source, "g") });
  };
  add("the folder it was built in", folder.replace(/\/+$/, ""), false);
  // "/" and "/root" are the beginnings of too much else.
  if (home !== undefined && home.split("/").length > 2) add("the builder's home", home, false);
  add("the builder's name", user, true);
  add("the builder's host", host, true);
  return needles;
}

/** The machine that this runs on. */
export function thisPlace(folder: string): BuildPlace {
  const host = (() => {
    try {
      return Deno.hostname();
    } catch {
      return undefined;
    }
  })();
  return {
    folder,
    home: Deno.env.get("HOME"),
    user: Deno.env.get("USER") ?? Deno.env.get("LOGNAME"),
    host,
  };
}

/** Finds needles in a file, as text and inside texts that were encoded as JSON; at most twenty. */
export function findTraces(bytes: Uint8Array, needles: readonly TraceNeedle[]): readonly Trace[] {
  // Latin-1 keeps offsets; what is sought is ASCII.
  const text = new TextDecoder("latin1").decode(bytes);
  const traces: Trace[] = [];
  for (const { what, pattern } of needles) {
    for (const match of text.matchAll(pattern)) {
      if (traces.length >= TRACES_MAX) return traces;
      const around = text.slice(Math.max(0, match.index - 20), match.index + match[0].length + 40);
      traces.push({ what, offset: match.index, text: around.replace(/[^ -~]/g, ".") });
    }
  }
  return traces;
}
