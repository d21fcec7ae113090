/**
 * Finds the line on which each table and key of a TOML text stands, which its parser does not tell.
 *
 * The text is known to be TOML; this reads no more of it than brackets, quotes and keys.
 */

/** Lines by dotted path, the first line being 1; the line of a table is that of its first header. */
export type TomlPlaces = ReadonlyMap<string, number>;

/** A key: bare or quoted, with dots between its parts. */
const KEY =
  /^(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*'))*/;

/** One part of a key. */
const PART = /[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*'/g;

/** Reads the places of a text. */
export function findTomlPlaces(text: string): TomlPlaces {
  const places = new Map<string, number>();
  const add = (path: readonly string[], line: number) => {
    const name = path.join(".");
    if (!places.has(name)) places.set(name, line);
  };
  let table: readonly string[] = [];
  let value: ValueState = START;
  for (const [index, line] of text.split("\n").entries()) {
    const start = line.trimStart();
    if (isOpen(value)) value = readValue(value, start);
    else if (start.startsWith("[")) {
      table = partsOf(KEY.exec(start.replace(/^\[+\s*/, ""))?.[0] ?? "");
      add(table, index + 1);
    } else {
      const key = KEY.exec(start)?.[0];
      if (key === undefined) continue;
      add([...table, ...partsOf(key)], index + 1);
      value = readValue(START, start.slice(key.length));
    }
  }
  return places;
}

function partsOf(key: string): readonly string[] {
  return [...key.matchAll(PART)].map(([part]) => part.replace(/^(["'])(.*)\1$/, "$2"));
}

/** Where a value that goes over several lines stands. */
interface ValueState {
  /** Open brackets. */
  readonly depth: number;
  /** Quotes that end the text that is open. */
  readonly quotes: string;
}

const START: ValueState = { depth: 0, quotes: "" };

function isOpen({ depth, quotes }: ValueState): boolean {
  return depth > 0 || quotes !== "";
}

/** Reads one line of a value. */
function readValue(state: ValueState, line: string): ValueState {
  let { depth, quotes } = state;
  for (let index = 0; index < line.length; index++) {
    const sign = line.charAt(index);
    if (quotes !== "") {
      if (sign === "\\" && quotes.startsWith('"')) index += 1;
      else if (line.startsWith(quotes, index)) {
        index += quotes.length - 1;
        quotes = "";
      }
    } else if (sign === "#") break;
    else if (sign === '"' || sign === "'") {
      quotes = line.startsWith(sign.repeat(3), index) ? sign.repeat(3) : sign;
      index += quotes.length - 1;
    } else if (sign === "[" || sign === "{") depth += 1;
    else if (sign === "]" || sign === "}") depth -= 1;
  }
  // Only texts with three quotes go on in the next line.
  return { depth: Math.max(0, depth), quotes: quotes.length === 3 ? quotes : "" };
}
