/**
 * The registry of counters and gauges.
 *
 * A stage keeps its counters in a plain object with fixed numeric fields, which costs one add on the
 * hot path; the registry reads them only when someone looks.
 */

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
  /** All values now, sorted by name. */
  snapshot(): CounterSet;
  /** Prometheus text exposition, version 0.0.4. */
  toPrometheus(): string;
}

const SPECIFIED = /^(dataforts|fold)_/;

/** Creates an empty registry. */
export function createMetricRegistry(): MetricRegistry {
  const areas = new Map<string, { read: () => CounterSet; isSpecified: boolean }>();
  const snapshot = (): CounterSet => {
    const rows: [string, number][] = [];
    for (const [area, { read, isSpecified }] of areas) {
      for (const [field, value] of Object.entries(read())) {
        const isKept = isSpecified || SPECIFIED.test(field);
        rows.push([isKept ? field : `net_${area}_${field}`, value]);
      }
    }
    return Object.fromEntries(rows.sort(([a], [b]) => a < b ? -1 : 1));
  };
  return {
    register: (area, read, { isSpecified = false } = {}) =>
      void areas.set(area, { read, isSpecified }),
    snapshot,
    toPrometheus: () => {
      let text = "";
      let typed = "";
      for (const [name, value] of Object.entries(snapshot())) {
        const [family = name] = name.split("{");
        if (family !== typed) {
          text += `# TYPE ${family} ${family.endsWith("_total") ? "counter" : "gauge"}\n`;
        }
        typed = family;
        text += `${name} ${value}\n`;
      }
      return text;
    },
  };
}
