/**
 * The registry of counters and gauges.
 *
 * A stage keeps its counters in a plain object with fixed numeric fields, which costs one add on the
 * hot path; the registry reads them only when someone looks. What needs labels or buckets comes as families, which
 * only an exposition reads.
 */
import {
  type MetricFamily,
  type MetricSample,
  type MetricType,
  renderOpenMetrics,
  renderPrometheus,
} from "./exposition.ts";
import { helpOf } from "./metric_help.ts";

/** Counters of one stage: metric name to value. */
export type CounterSet = Record<string, number>;

/** Collects the counters of all stages. */
export interface MetricRegistry {
  /**
   * Adds a stage; a later one of the same area takes its place.
   *
   * Names become `net_<area>_<field>`; fields that a specification names in full (`dataforts_…`,
   * `fold_…`) keep their name (`decisions.md` 23). A field may end in labels: `name{fold="routing"}`.
   *
   * @param options.isSpecified Every name is in a specification, and is kept.
   */
  register(
    area: string,
    read: () => CounterSet,
    options?: { readonly isSpecified?: boolean },
  ): void;
  /** Adds families for expositions; a later reader of the same area takes the place of the earlier. */
  registerFamilies(area: string, read: () => readonly MetricFamily[]): void;
  /** All values of stages now, sorted by name. */
  snapshot(): CounterSet;
  /**
   * Everything now, sorted by name: each name once, no two series of a name with the same labels. A stage that
   * cannot be read is left out and counted.
   */
  families(): readonly MetricFamily[];
  /** Prometheus text exposition, version 0.0.4. */
  toPrometheus(): string;
  /** OpenMetrics text, version 1.0.0. */
  toOpenMetrics(): string;
}

const SPECIFIED = /^(dataforts|fold)_/;

/** Specified names of numbers that go down as well, whatever their names say. */
const GAUGES = new Set(["fold_entries_total"]);

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

/** Creates an empty registry. */
export function createMetricRegistry(): MetricRegistry {
  const areas = new Map<string, { read: () => CounterSet; isSpecified: boolean }>();
  const readers = new Map<string, () => readonly MetricFamily[]>();
  let failures = 0;

  const readArea = (area: string, read: () => CounterSet, isSpecified: boolean) =>
    Object.entries(read()).map(([field, value]): [string, number] => {
      const isKept = isSpecified || SPECIFIED.test(field);
      return [isKept ? field : `net_${area}_${field}`, value];
    });

  const attempt = <T>(read: () => readonly T[]): readonly T[] => {
    try {
      return read();
    } catch {
      failures += 1;
      return [];
    }
  };

  const families = (): readonly MetricFamily[] => {
    const rows = new Map<string, number>();
    for (const [area, { read, isSpecified }] of areas) {
      const read_ = attempt(() => readArea(area, read, isSpecified));
      for (const [name, value] of read_) rows.set(name, value);
    }
    const read = [...readers.values()].flatMap((reader) => attempt(reader));
    const own: MetricFamily = {
      name: "net_metrics_read_failures_total",
      type: "counter",
      help: helpOf("net_metrics_read_failures_total"),
      samples: [{ value: failures }],
    };
    return merge([...familiesOf(rows), ...read, own]);
  };

  return {
    register: (area, read, { isSpecified = false } = {}) =>
      void areas.set(area, { read, isSpecified }),
    registerFamilies: (area, read) => void readers.set(area, read),
    snapshot: () => {
      const rows = [...areas].flatMap(([area, { read, isSpecified }]) =>
        readArea(area, read, isSpecified)
      );
      return Object.fromEntries(rows.sort(([a], [b]) => a < b ? -1 : 1));
    },
    families,
    toPrometheus: () => renderPrometheus(families()),
    toOpenMetrics: () => renderOpenMetrics(families()),
  };
}

/** Families of plain counters: by name, then by what belongs together. */
function familiesOf(rows: ReadonlyMap<string, number>): MetricFamily[] {
  const byName = new Map<string, MetricSample[]>();
  for (const [key, value] of rows) {
    const brace = key.indexOf("{");
    const name = brace < 0 ? key : key.slice(0, brace);
    const labels = brace < 0 ? [] : readLabels(key.slice(brace));
    const samples = byName.get(name);
    if (samples === undefined) byName.set(name, [{ labels, value }]);
    else samples.push({ labels, value });
  }
  const families: MetricFamily[] = [];
  for (const [name, samples] of byName) {
    const summary = /^(.*)_(sum|count)$/.exec(name);
    const [, base = "", part] = summary ?? [];
    if (base !== "" && byName.has(`${base}_sum`) && byName.has(`${base}_count`)) {
      if (part === "sum") families.push(summaryOf(base, byName));
      continue;
    }
    families.push({ name, type: typeOf(name), help: helpOf(name), samples });
  }
  return families;
}

/** Sums and counts of the same thing, without quantiles. */
function summaryOf(
  name: string,
  byName: ReadonlyMap<string, readonly MetricSample[]>,
): MetricFamily {
  const counts = byName.get(`${name}_count`) ?? [];
  // What belongs to the same labels stands together.
  const samples = (byName.get(`${name}_sum`) ?? []).flatMap((sum) => {
    const count = counts.find(({ labels }) => isSame(labels, sum.labels));
    if (count === undefined) return [];
    return [{ ...sum, suffix: "_sum" as const }, { ...count, suffix: "_count" as const }];
  });
  return { name, type: "summary", help: helpOf(name), samples };
}

function isSame(a: MetricSample["labels"], b: MetricSample["labels"]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function typeOf(name: string): MetricType {
  return name.endsWith("_total") && !GAUGES.has(name) ? "counter" : "gauge";
}

/** Labels as stages write them behind a name. */
function readLabels(text: string): [string, string][] {
  return [...text.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g)].map((
    [, name = "", value = ""],
  ) => [name, value.replaceAll(/\\(.)/g, (_, letter) => letter === "n" ? "\n" : letter)]);
}

/** Each name once, sorted; of series that are told twice the first counts. */
function merge(families: readonly MetricFamily[]): readonly MetricFamily[] {
  const byName = new Map<string, MetricFamily>();
  for (const family of families) {
    if (!NAME.test(family.name)) continue;
    const known = byName.get(family.name);
    if (known === undefined) byName.set(family.name, family);
    else byName.set(family.name, { ...known, samples: [...known.samples, ...family.samples] });
  }
  return [...byName.values()].sort((a, b) => a.name < b.name ? -1 : 1).map((family) => ({
    ...family,
    samples: distinct(family.samples),
  }));
}

/** Without repetitions, and without a total beside its parts: whoever adds up would count it twice. */
function distinct(samples: readonly MetricSample[]): readonly MetricSample[] {
  const isSplit = samples.some(({ labels = [] }) => labels.length > 0);
  const seen = new Set<string>();
  return samples.filter(({ suffix, labels = [] }) => {
    if (isSplit && labels.length === 0) return false;
    const key = JSON.stringify([suffix, ...labels.toSorted(([a], [b]) => a < b ? -1 : 1)]);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
