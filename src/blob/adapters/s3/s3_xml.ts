/**
 * The few answers of S3 that are read: errors, and the two of uploads in parts. Texts of elements are looked up by
 * name; nothing else of XML is understood, and nothing in it can make this read more than it was given.
 */

/** Longest answer that is looked at; longer ones are cut. */
export const S3_XML_BYTES_MAX = 64 * 1024;

/** Longest text that is taken out of one. */
const TEXT_CHARACTERS_MAX = 2_048;

const ENTITIES: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  amp: "&",
  quot: '"',
  apos: "'",
};

/** What a store says of a request that failed. */
export interface S3Fault {
  /** Such as `NoSuchKey`; empty when the answer names none. */
  readonly code: string;
  readonly message: string;
  /** Where the bucket is, when it is elsewhere. */
  readonly region: string | undefined;
}

/** Name of the outermost element; `undefined` when there is none. */
export function readRoot(xml: string): string | undefined {
  return /^\uFEFF?\s*(?:<\?[^>]{0,200}\?>\s*)?<([A-Za-z][A-Za-z0-9]{0,63})[\s/>]/.exec(xml)?.[1];
}

/** Text of the first element of a name, in which there are no others; `undefined` without one. */
export function readElement(xml: string, name: string): string | undefined {
  const open = `<${name}>`;
  const start = xml.indexOf(open);
  if (start < 0) return undefined;
  const from = start + open.length;
  const end = xml.indexOf("<", from);
  if (end < 0 || end - from > TEXT_CHARACTERS_MAX || !xml.startsWith(`</${name}>`, end)) {
    return undefined;
  }
  return decodeEntities(xml.slice(from, end));
}

/** The error in an answer; with empty texts when it says nothing. */
export function readFault(xml: string): S3Fault {
  if (readRoot(xml) !== "Error") return { code: "", message: "", region: undefined };
  return {
    code: readElement(xml, "Code") ?? "",
    message: readElement(xml, "Message") ?? "",
    region: readElement(xml, "Region"),
  };
}

/** A text as the content of an element. */
export function escapeXml(text: string): string {
  return text.replace(
    /[&<>]/g,
    (letter) => letter === "&" ? "&amp;" : letter === "<" ? "&lt;" : "&gt;",
  );
}

function decodeEntities(text: string): string {
  return text.replace(
    /&(?:#(x[0-9a-fA-F]{1,6}|[0-9]{1,7})|([a-z]{1,8}));/g,
    (all, number, name) => {
      if (name !== undefined) return ENTITIES[name] ?? all;
      const code = number.startsWith("x")
        ? Number.parseInt(number.slice(1), 16)
        : Number.parseInt(number, 10);
      return code <= 0x10ffff && code !== 0 ? String.fromCodePoint(code) : all;
    },
  );
}
