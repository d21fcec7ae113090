/**
 * Metrics as text: Prometheus 0.0.4 and OpenMetrics 1.0.
 *
 * Only writes. Which families there are, and what they mean, is told by whoever has them.
 */

/** What kind of number a metric is. */
export type MetricType = "counter" | "gauge" | "histogram" | "summary";

/** One series of a family. */
export interface MetricSample {
  /** Behind the family's name: `_bucket`, `_sum`, `_count` of histograms and summaries; empty for the rest. */
  readonly suffix?: "_bucket" | "_sum" | "_count";
  /** Names and values; the values are not escaped yet. */
  readonly labels?: readonly (readonly [name: string, value: string])[];
  readonly value: number;
}

/** Metrics of one name. */
export interface MetricFamily {
  /** With the `_total` of a counter. */
  readonly name: string;
  readonly type: MetricType;
  /** One sentence for people. */
  readonly help: string;
  readonly samples: readonly MetricSample[];
}

/** Content type of {@linkcode renderPrometheus}. */
export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Content type of {@linkcode renderOpenMetrics}. */
export const OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/**
 * The text format 0.0.4 of Prometheus.
 *
 * @example
 * ```ts
 * import { renderPrometheus } from "./exposition.ts";
 * const text = renderPrometheus([
 *   { name: "net_up", type: "gauge", help: "One.", samples: [{ value: 1 }] },
 * ]);
 * console.assert(text === "# HELP net_up One.\n# TYPE net_up gauge\nnet_up 1\n");
 * ```
 */
export function renderPrometheus(families: readonly MetricFamily[]): string {
  const lines: string[] = [];
  for (const { name, type, help, samples } of families) {
    lines.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`);
    for (const sample of samples) lines.push(sampleLine(name, sample));
  }
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

/** OpenMetrics 1.0; a counter's family goes without the `_total` that its samples have. */
export function renderOpenMetrics(families: readonly MetricFamily[]): string {
  const lines: string[] = [];
  const taken = new Set(families.map(({ name }) => name));
  for (const { name, type, help, samples } of families) {
    const base = name.replace(/_total$/, "");
    // A counter must end so, and its family's name be its own; what cannot be said of a type is left open.
    const isCounter = type === "counter" && base !== name && !taken.has(base);
    const family = isCounter ? base : name;
    const shownType = type === "counter" && !isCounter ? "unknown" : type;
    lines.push(
      `# HELP ${family} ${escapeHelp(help).replaceAll('"', '\\"')}`,
      `# TYPE ${family} ${shownType}`,
    );
    for (const sample of samples) lines.push(sampleLine(name, sample));
  }
  return [...lines, "# EOF", ""].join("\n");
}

function sampleLine(family: string, { suffix, labels = [], value }: MetricSample): string {
  const pairs = labels.map(([name, text]) => `${name}="${escapeLabel(text)}"`);
  const shown = pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
  return `${family}${suffix ?? ""}${shown} ${formatValue(value)}`;
}

/** Numbers as both formats read them. */
function formatValue(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}

/** Readers know three escapes and no others; a lone CR, which some take for the end of a line, is spelled out. */
function escapeLabel(text: string): string {
  return text.replaceAll("\r", "\\r").replaceAll("\\", "\\\\").replaceAll('"', '\\"')
    .replaceAll("\n", "\\n");
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll(/\r\n?|\n/g, "\\n");
}
