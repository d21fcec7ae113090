/**
 * Paths of interfaces, with places for parameters: `/users/{id}/posts` (`capabilities.md` 18). Segments
 * are compared as they stand; nothing is percent-decoded.
 */
import { PATH_SEGMENT_BYTES_MAX, PATH_SEGMENTS_MAX } from "./limits.ts";

/** One part of a template: a text, or the name of a parameter. */
export type PathSegment =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "parameter"; readonly name: string };

/** A template, read. */
export interface PathTemplate {
  /** As it was written, without a slash at the end. */
  readonly text: string;
  readonly segments: readonly PathSegment[];
}

/**
 * Reads a template.
 *
 * @throws RangeError when it does not begin with a slash, has an empty segment, a parameter without a
 * plain name or twice the same, or is too long.
 */
export function parsePathTemplate(text: string): PathTemplate {
  const fail = (problem: string): never => {
    throw new RangeError(`Cannot read path ${JSON.stringify(text.slice(0, 100))}: ${problem}`);
  };
  const parts = splitPath(text);
  if (parts === undefined) {
    return fail(
      `must begin with "/" and have at most ${PATH_SEGMENTS_MAX} segments of at most ` +
        `${PATH_SEGMENT_BYTES_MAX} bytes`,
    );
  }
  const names = new Set<string>();
  const segments = parts.map((part): PathSegment => {
    if (!/[{}]/.test(part)) return { kind: "text", text: part };
    const name = /^\{([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(part)?.[1];
    if (name === undefined) return fail(`"${part}" is no parameter, must be "{name}"`);
    if (names.has(name)) return fail(`parameter "${name}" is there twice`);
    names.add(name);
    return { kind: "parameter", name };
  });
  return { text: `/${parts.join("/")}`, segments };
}

/** Segments of a path; `undefined` when it is none, too long, or has an empty segment. */
export function splitPath(path: string): readonly string[] | undefined {
  if (!path.startsWith("/")) return undefined;
  if (path.length > PATH_SEGMENTS_MAX * (PATH_SEGMENT_BYTES_MAX + 1)) return undefined;
  const trimmed = path.endsWith("/") ? path.slice(1, -1) : path.slice(1);
  if (trimmed === "") return path === "//" ? undefined : [];
  const parts = trimmed.split("/");
  if (parts.length > PATH_SEGMENTS_MAX) return undefined;
  const isGood = (part: string) =>
    part !== "" && part.length <= PATH_SEGMENT_BYTES_MAX && part.isWellFormed();
  return parts.every(isGood) ? parts : undefined;
}
