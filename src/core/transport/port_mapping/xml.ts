/**
 * A small, strict reader of XML: enough for what gateways say, bounded in everything.
 *
 * No document types, no entities of one's own, no processing instructions but the declaration: whatever
 * could make much out of little is refused. Names lose their prefix; attributes are checked and dropped.
 */
import { XML_ATTRIBUTES_MAX, XML_DEPTH_MAX, XML_ELEMENTS_MAX } from "./limits.ts";

/** An element of a document. */
export interface XmlElement {
  /** Without its prefix. */
  readonly name: string;
  readonly children: readonly XmlElement[];
  /** Its own text, without that of its children, trimmed. */
  readonly text: string;
}

interface OpenElement {
  /** As written, with its prefix. */
  readonly fullName: string;
  readonly children: XmlElement[];
  readonly texts: string[];
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
};

/** Longest reference between `&` and `;`: `#x10FFFF`. */
const REFERENCE_CHARACTERS_MAX = 8;
const NAME = /[A-Za-z_][A-Za-z0-9_.-]*(?::[A-Za-z_][A-Za-z0-9_.-]*)?/y;
const SPACE = /[ \t\r\n]*/y;
// deno-lint-ignore no-control-regex -- control characters are what is refused
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/;

/**
 * The root of a document; `undefined` for what is no well-formed one within the bounds.
 *
 * @example
 * ```ts
 * import { parseXml } from "./xml.ts";
 * const root = parseXml("<r><a>1 &amp; 2</a></r>");
 * console.assert(root?.children[0]?.text === "1 & 2");
 * console.assert(parseXml("<!DOCTYPE r><r/>") === undefined);
 * ```
 */
export function parseXml(text: string): XmlElement | undefined {
  return new XmlReader(text).read();
}

/** The first element of that name on the way `names` from `element` down. */
export function xmlChild(
  element: XmlElement | undefined,
  ...names: readonly string[]
): XmlElement | undefined {
  let current = element;
  for (const name of names) current = current?.children.find((child) => child.name === name);
  return current;
}

class XmlReader {
  readonly #text: string;
  #at = 0;
  #elements = 0;
  readonly #open: OpenElement[] = [];
  #root: XmlElement | undefined;

  constructor(text: string) {
    // Some gateways end their documents with a zero byte.
    this.#text = text.replace(/^\ufeff/, "").replace(/[\0 \t\r\n]+$/, "");
  }

  read(): XmlElement | undefined {
    if (CONTROL.test(this.#text)) return undefined;
    if (this.#text.startsWith("<?xml") && !this.#skipPast("?>")) return undefined;
    while (this.#at < this.#text.length) {
      if (!this.#readPiece()) return undefined;
    }
    return this.#open.length === 0 ? this.#root : undefined;
  }

  #readPiece(): boolean {
    if (this.#text[this.#at] !== "<") return this.#readText();
    if (this.#startsWith("<!--")) return this.#skipPast("-->");
    if (this.#startsWith("<![CDATA[")) return this.#readCdata();
    if (this.#startsWith("</")) return this.#readEnd();
    return this.#readStart();
  }

  #readText(): boolean {
    const end = this.#text.indexOf("<", this.#at);
    const raw = this.#text.slice(this.#at, end < 0 ? undefined : end);
    this.#at += raw.length;
    const top = this.#open.at(-1);
    if (top === undefined) return /^[ \t\r\n]*$/.test(raw);
    const text = decodeReferences(raw);
    if (text === undefined) return false;
    top.texts.push(text);
    return true;
  }

  #readCdata(): boolean {
    const start = this.#at + "<![CDATA[".length;
    const top = this.#open.at(-1);
    if (top === undefined || !this.#skipPast("]]>")) return false;
    top.texts.push(this.#text.slice(start, this.#at - "]]>".length));
    return true;
  }

  #readStart(): boolean {
    this.#at += 1;
    const fullName = this.#match(NAME);
    this.#elements += 1;
    const isRefused = fullName === "" || this.#elements > XML_ELEMENTS_MAX ||
      this.#open.length >= XML_DEPTH_MAX || this.#root !== undefined;
    if (isRefused || !this.#skipAttributes()) return false;
    const element = { fullName, children: [], texts: [] };
    if (this.#startsWith("/>")) {
      this.#at += 2;
      this.#close(element);
      return true;
    }
    if (!this.#startsWith(">")) return false;
    this.#at += 1;
    this.#open.push(element);
    return true;
  }

  #readEnd(): boolean {
    this.#at += 2;
    const fullName = this.#match(NAME);
    this.#match(SPACE);
    const top = this.#open.pop();
    if (top?.fullName !== fullName || !this.#startsWith(">")) return false;
    this.#at += 1;
    this.#close(top);
    return true;
  }

  #close({ fullName, children, texts }: OpenElement): void {
    const name = fullName.slice(fullName.indexOf(":") + 1);
    const element: XmlElement = { name, children, text: texts.join("").trim() };
    const parent = this.#open.at(-1);
    if (parent === undefined) this.#root = element;
    else parent.children.push(element);
  }

  /** Leaves the place at the end of the tag. */
  #skipAttributes(): boolean {
    for (let count = 0; count <= XML_ATTRIBUTES_MAX; count++) {
      const space = this.#match(SPACE);
      if (this.#startsWith(">") || this.#startsWith("/>")) return true;
      if (space === "" || this.#match(NAME) === "") return false;
      this.#match(SPACE);
      if (!this.#startsWith("=")) return false;
      this.#at += 1;
      this.#match(SPACE);
      const quote = this.#text[this.#at];
      if (quote !== '"' && quote !== "'") return false;
      const end = this.#text.indexOf(quote, this.#at + 1);
      if (end < 0 || this.#text.slice(this.#at, end).includes("<")) return false;
      this.#at = end + 1;
    }
    return false;
  }

  #startsWith(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  #skipPast(text: string): boolean {
    const end = this.#text.indexOf(text, this.#at);
    if (end < 0) return false;
    this.#at = end + text.length;
    return true;
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }
}

/** Text with its references replaced; `undefined` where one is unknown. */
function decodeReferences(raw: string): string | undefined {
  if (!raw.includes("&")) return raw;
  const parts = raw.split("&");
  let text = parts[0] ?? "";
  for (const part of parts.slice(1)) {
    const end = part.indexOf(";");
    if (end < 1 || end > REFERENCE_CHARACTERS_MAX) return undefined;
    const character = decodeReference(part.slice(0, end));
    if (character === undefined) return undefined;
    text += character + part.slice(end + 1);
  }
  return text;
}

function decodeReference(name: string): string | undefined {
  if (Object.hasOwn(ENTITIES, name)) return ENTITIES[name];
  const [, hex, decimal] = /^#(?:x([0-9a-fA-F]+)|([0-9]+))$/.exec(name) ?? [];
  if (hex === undefined && decimal === undefined) return undefined;
  const code = hex === undefined ? Number(decimal) : parseInt(hex, 16);
  const isCharacter = code === 9 || code === 10 || code === 13 ||
    (code >= 0x20 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff));
  return isCharacter ? String.fromCodePoint(code) : undefined;
}
