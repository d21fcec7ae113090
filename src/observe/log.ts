/**
 * Log records: an event name plus fields, one line each.
 *
 * Debug may be chatty, info is for operators, warn needs an action, error names a lost promise.
 * Secrets, keys and payloads are never passed in here.
 */

/** Levels, least to most severe. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "off"] as const;

/** Severity of a record, or `off`. */
export type LogLevel = typeof LOG_LEVELS[number];

/** Values a record's field may have. */
export type LogFields = Readonly<
  Record<string, string | number | boolean | bigint | null | undefined>
>;

/** Writes records; `child` adds fields to each of them. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  child(fields: LogFields): Log;
}

/** Options of {@linkcode createLog}. */
export interface CreateLogOptions {
  /** Records below this level are dropped. */
  readonly level: LogLevel;
  /** One `key=value` line or one JSON object per record. */
  readonly format: "text" | "json";
  /** Takes one line without its newline. */
  readonly write: (line: string) => void;
  /** Time of a record; the wall clock when left out. */
  readonly wallMs?: () => number;
}

/**
 * Creates a log.
 *
 * @example
 * ```ts
 * import { createLog } from "./log.ts";
 * const lines: string[] = [];
 * const log = createLog({ level: "info", format: "text", write: (l) => lines.push(l), wallMs: () => 0 });
 * log.child({ peer: "ab" }).info("session_opened", { rtt_ms: 2 });
 * console.assert(lines[0] === "1970-01-01T00:00:00.000Z info session_opened peer=ab rtt_ms=2");
 * ```
 */
export function createLog(options: CreateLogOptions): Log {
  const threshold = LOG_LEVELS.indexOf(options.level);
  const wallMs = options.wallMs ?? Date.now;
  const record = (level: LogLevel, event: string, bound: LogFields, fields?: LogFields) => {
    if (LOG_LEVELS.indexOf(level) < threshold) return;
    const time = new Date(wallMs()).toISOString();
    const all = { ...bound, ...fields };
    options.write(
      options.format === "json"
        ? jsonLine(time, level, event, all)
        : textLine(time, level, event, all),
    );
  };
  const create = (bound: LogFields): Log => ({
    debug: (event, fields) => record("debug", event, bound, fields),
    info: (event, fields) => record("info", event, bound, fields),
    warn: (event, fields) => record("warn", event, bound, fields),
    error: (event, fields) => record("error", event, bound, fields),
    child: (fields) => create({ ...bound, ...fields }),
  });
  return create({});
}

/** A log that drops everything. */
export const silentLog: Log = createLog({ level: "off", format: "text", write: () => {} });

/** What needs quotes in a text line; terminals act on control characters, so those are escaped. */
// deno-lint-ignore no-control-regex -- control characters are what is looked for
const QUOTED = /[\s"=\u0000-\u001f\u007f-\u009f]|^$/;

function textLine(time: string, level: string, event: string, fields: LogFields): string {
  let line = `${time} ${level} ${event}`;
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const text = String(value);
    line += ` ${key}=${QUOTED.test(text) ? quote(text) : text}`;
  }
  return line;
}

/** JSON leaves the control characters above 0x7f as they are. */
function quote(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u009f]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
}

function jsonLine(time: string, level: string, event: string, fields: LogFields): string {
  return JSON.stringify(
    { time, level, event, ...fields },
    (_, value) => typeof value === "bigint" ? value.toString() : value,
  );
}
