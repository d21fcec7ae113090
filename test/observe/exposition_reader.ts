/** A strict reader of Prometheus text 0.0.4 and OpenMetrics 1.0: whatever the formats forbid fails. */
import assert from "node:assert/strict";

/** A family as it was read. */
export interface ReadFamily {
  readonly type: string;
  readonly help: string;
  /** Value by name and labels, labels sorted. */
  readonly samples: ReadonlyMap<string, number>;
}

const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  histogram: ["_bucket", "_sum", "_count"],
  summary: ["_sum", "_count"],
};

/**
 * Reads a whole exposition.
 *
 * @throws AssertionError naming the line that is wrong.
 */
export function readExposition(
  text: string,
  format: "prometheus" | "openmetrics" = "prometheus",
): ReadonlyMap<string, ReadFamily> {
  assert.ok(text === "" || text.endsWith("\n"), "the last line has no end");
  assert.ok(!text.includes("\r"), "a carriage return");
  const lines = text.split("\n").slice(0, -1);
  if (format === "openmetrics") assert.equal(lines.pop(), "# EOF");
  const families = new Map<string, { type: string; help: string; samples: Map<string, number> }>();
  let helped: string | undefined;
  let current: string | undefined;
  let groups: string[] = [];
  for (const line of lines) {
    const help = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
    if (help !== null) {
      const [, name = "", words = ""] = help;
      assert.ok(!families.has(name), `HELP twice, or not in front: ${line}`);
      assert.match(words, /^(?:[^\\]|\\\\|\\n|\\")*$/, `a help that cannot be read: ${line}`);
      helped = name;
      families.set(name, { type: "", help: words, samples: new Map() });
      continue;
    }
    const type = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (type !== null) {
      const [, name = "", kind = ""] = type;
      assert.equal(name, helped, `TYPE without its HELP: ${line}`);
      const kinds = ["counter", "gauge", "histogram", "summary"];
      if (format === "openmetrics") kinds.push("unknown");
      assert.ok(kinds.includes(kind), `no type: ${line}`);
      const family = families.get(name);
      assert.ok(family !== undefined && family.type === "", `TYPE twice: ${line}`);
      family.type = kind;
      current = name;
      helped = undefined;
      groups = [];
      continue;
    }
    assert.ok(!line.startsWith("#") && line !== "", `no such line: "${line}"`);
    assert.ok(current !== undefined, `no family: ${line}`);
    const family = families.get(current);
    assert.ok(family !== undefined);
    const { name, labels, value } = readSample(line);
    assert.ok(
      namesOf(current, family.type, format).includes(name),
      `not of the family ${current}: ${line}`,
    );
    const group = labels.filter((label) => !label.startsWith("le=")).toSorted().join(",");
    if (group !== groups.at(-1)) {
      assert.ok(!groups.includes(group), `series of the same labels apart: ${line}`);
      groups.push(group);
    }
    const key = `${name}{${labels.toSorted().join(",")}}`;
    assert.ok(!family.samples.has(key), `a series twice: ${line}`);
    if (family.type === "counter") assert.ok(value >= 0, `a counter below 0: ${line}`);
    family.samples.set(key, value);
  }
  for (const [name, { type, samples }] of families) {
    assert.notEqual(type, "", `${name} has no type`);
    if (type === "counter" && format === "prometheus") assert.match(name, /_total$/);
    if (type === "histogram") checkHistogram(name, samples);
  }
  return families;
}

/** Names that the samples of a family may have. */
function namesOf(family: string, type: string, format: string): string[] {
  if (type === "counter" && format === "openmetrics") return [`${family}_total`];
  return (SUFFIXES[type] ?? [""]).map((suffix) => family + suffix);
}

function readSample(line: string): { name: string; labels: string[]; value: number } {
  const head = /^([a-zA-Z_:][a-zA-Z0-9_:]*)/.exec(line);
  assert.ok(head !== null, `no name: ${line}`);
  const [name = ""] = head;
  let rest = line.slice(name.length);
  const labels: string[] = [];
  if (rest.startsWith("{")) {
    rest = rest.slice(1);
    while (!rest.startsWith("}")) {
      const label = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,(?!\})|(?=\}))/.exec(
        rest,
      );
      assert.ok(label !== null, `labels that cannot be read: ${line}`);
      assert.ok(
        !labels.some((other) => other.startsWith(`${label[1]}=`)),
        `a label twice: ${line}`,
      );
      labels.push(`${label[1]}="${label[2]}"`);
      rest = rest.slice(label[0].length);
    }
    rest = rest.slice(1);
  }
  assert.match(
    rest,
    /^ (?:[+-]Inf|NaN|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?)$/,
    `no value: ${line}`,
  );
  const number = rest.trim();
  return { name, labels, value: number.endsWith("Inf") ? Infinity : Number(number) };
}

/** Buckets rise to the last one, which has all of them. */
function checkHistogram(name: string, samples: ReadonlyMap<string, number>): void {
  const rows = new Map<string, { le: number; count: number }[]>();
  for (const [key, count] of samples) {
    const bucket = new RegExp(`^${name}_bucket\\{(.*)\\}$`).exec(key);
    if (bucket === null) continue;
    const labels = (bucket[1] ?? "").split(/,(?=[a-z_]+=")/);
    const bound = labels.find((label) => label.startsWith("le="))?.slice(4, -1) ?? "";
    const series = labels.filter((label) => !label.startsWith("le=")).join(",");
    const list = rows.get(series) ?? [];
    list.push({ le: bound === "+Inf" ? Infinity : Number(bound), count });
    rows.set(series, list);
  }
  for (const [series, list] of rows) {
    list.sort((a, b) => a.le - b.le);
    list.forEach(({ count }, at) =>
      assert.ok(count >= (list[at - 1]?.count ?? 0), `${name} falls`)
    );
    const last = list.at(-1);
    assert.equal(last?.le, Infinity, `${name} has no last bucket`);
    assert.equal(samples.get(`${name}_count{${series}}`), last?.count, `${name} counts otherwise`);
  }
}
