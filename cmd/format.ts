/** Human text for sizes, times and tables, and careful readers of answers from a node. */

/** Size in bytes as people read it, with binary units: `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1023.95 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${Math.round(value)} B` : `${value.toFixed(1)} ${units[unit]}`;
}

/** Time span as people read it: `450 ms`, `12 s`, `3 m 20 s`, `2 h 5 m`, `4 d 3 h`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`;
  const seconds = Math.round(durationMs / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${seconds % 60} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} m`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor(seconds / 3600) % 24} h`;
}

/** Bytes in few columns, with binary units: `0`, `640`, `1.5K`, `64M`, `12G`. */
export function formatCompact(bytes: number): string {
  const units = ["", "K", "M", "G", "T", "P"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 || value >= 9.95
    ? `${Math.round(value)}${units[unit]}`
    : `${value.toFixed(1)}${units[unit]}`;
}

/** A whole number with its thousands set apart: `1,234,567`. */
export function formatCount(count: number): string {
  return Math.round(count).toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

/** How many of something: `1 chunk`, `2,000 chunks`. */
export function formatCounted(count: number, word: string): string {
  return `${formatCount(count)} ${word}${count === 1 ? "" : "s"}`;
}

/** Milliseconds with three digits that mean something, in a unit that suits: `85us`, `1.25ms`, `2.1s`. */
export function formatTimeMs(ms: number): string {
  if (ms < 0.9995) return `${Math.round(ms * 1000)}us`;
  if (ms < 9.995) return `${ms.toFixed(2)}ms`;
  if (ms < 99.95) return `${ms.toFixed(1)}ms`;
  return ms < 999.5 ? `${Math.round(ms)}ms` : `${(ms / 1000).toFixed(1)}s`;
}

/** Options of {@linkcode formatTable}. */
export interface FormatTableOptions {
  /** Columns, from 0, whose cells end at the same place: numbers. */
  readonly right?: readonly number[];
  /** Where the table is wider, columns move together. */
  readonly columnsMax?: number;
}

/** Columns padded to their widest cell; the first row is the heading. */
export function formatTable(
  rows: readonly (readonly string[])[],
  options: FormatTableOptions = {},
): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  const { right = [], columnsMax = Infinity } = options;
  const total = widths.reduce((sum, width) => sum + width, 0) + 2 * (widths.length - 1);
  const gap = total > columnsMax ? " " : "  ";
  const pad = (cell: string, column: number) =>
    right.includes(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0);
  return rows.map((row) => row.map(pad).join(gap).trimEnd()).join("\n");
}

/** Lines of `name value` with the values aligned; rows without a value are left out. */
export function formatFields(fields: readonly (readonly [string, string | undefined])[]): string {
  const shown = fields.filter(([, value]) => value !== undefined && value !== "");
  return formatTable(shown.map(([name, value]) => [name, value ?? ""]));
}

/** Members of an answer; an answer that is no object has none. */
export function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : {};
}

/** The members of a list in an answer. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Text of a member; control characters, which could steer a terminal, are dropped. */
export function textOf(value: unknown): string {
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") {
    return "";
  }
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  return String(value).replace(/[\u0000-\u001f\u007f-\u009f]/g, "");
}

/** A member as a finite number. */
export function numberOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}
