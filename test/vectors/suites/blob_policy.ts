/** Policies of blobs: heat, emission, marks, scopes, reasons to stay, shares of the link, and the metrics text. */

import assert from "node:assert/strict";
import {
  BANDWIDTH_CLASSES,
  BandwidthBucket,
  type BandwidthClass,
  createBlobMetrics,
  decayRate,
  decideEmission,
  DEFAULT_DATA_POLICY,
  gibFor,
  isDeletable,
  isInboundAllowed,
  isOutboundAllowed,
  normalizeRate,
  OVERFLOW_START,
  overflowRoomBytes,
  parseBlobHeat,
  parseDataScope,
  renderBlobMetrics,
  showDataPolicy,
  stepHealthGate,
  stepHysteresis,
} from "../../../src/blob/mod.ts";
import { blobHeatTag } from "../../../src/core/capability/mod.ts";
import type { GatheredCases, VectorSuite } from "../suite.ts";
import {
  booleanOf,
  has,
  listOf,
  numberOf,
  objectOf,
  recordOf,
  textOf,
  valueAt,
  type VectorObject,
} from "../vector_reader.ts";

/** Suites of this file by vector file. */
export const BLOB_POLICY_SUITES: Readonly<Record<string, VectorSuite>> = {
  "dataforts/policy.json": (document) => ({
    normalize: checkNormalize,
    decay: checkDecay,
    emission: checkEmission,
    overflow_hysteresis: overflowHysteresis(),
    health_gate: healthGate(),
    scope_inbound_pull_migrate_accept: scopes("publisher", isInboundAllowed),
    scope_outbound_overflow_target: scopes("peer", isOutboundAllowed),
    gc: checkGc,
    heat_tag_parse: (vector) =>
      assert.equal(parseBlobHeat(textOf(vector, "tag")) !== undefined, booleanOf(vector, "parsed")),
    disk_requirement_gib: checkRoom,
    "bandwidth_bucket.steps": bandwidth(document),
  }),
  "dataforts/metrics.json": (document) => ({
    order: metricFamilies(document),
    label_escape: (vector) =>
      assert.ok(
        renderBlobMetrics(textOf(vector, "adapter_id"), createBlobMetrics())
          .includes(`{${textOf(vector, "rendered")}} 0\n`),
      ),
    overflow_defaults: overflowDefaults(document),
  }),
};

function checkNormalize(vector: VectorObject): void {
  const value = normalizeRate(floatOf(vector, "rate"), floatOf(vector, "reference"));
  assertNear(value, floatOf(vector, "value"));
  const tag = blobHeatTag(new Uint8Array(32), value);
  assert.equal(tag.slice(tag.indexOf("=") + 1), textOf(vector, "tag_text"));
}

function checkDecay(vector: VectorObject): void {
  const after = decayRate(
    floatOf(vector, "rate"),
    floatOf(vector, "elapsed_s") * 1000,
    floatOf(vector, "half_life_s") * 1000,
  );
  assertNear(after, floatOf(vector, "after"));
}

function checkEmission(vector: VectorObject): void {
  const last = has(vector, "last_emitted") ? floatOf(vector, "last_emitted") : undefined;
  const isEnabled = has(vector, "enabled") ? booleanOf(vector, "enabled") : true;
  const rule = { isEnabled, thresholdRatio: floatOf(vector, "ratio") };
  assert.equal(decideEmission(floatOf(vector, "rate"), last, rule), textOf(vector, "decision"));
}

/** Steps build on each other, from a disk that is not shedding. */
function overflowHysteresis(): (vector: VectorObject) => void {
  const { overflow } = DEFAULT_DATA_POLICY;
  const marks = { high: overflow.highWaterRatio, low: overflow.lowWaterRatio };
  let { isActive } = OVERFLOW_START;
  return (vector) => {
    isActive = stepHysteresis(isActive, floatOf(vector, "disk_ratio"), marks);
    assert.equal(isActive, booleanOf(vector, "active"));
  };
}

function healthGate(): (vector: VectorObject) => void {
  let isUnhealthy = false;
  return (vector) => {
    const disk = { used: numberOf(vector, "used"), capacity: numberOf(vector, "capacity") };
    const step = stepHealthGate(isUnhealthy, disk);
    assert.equal(step.action, textOf(vector, "action"));
    assert.equal(step.isUnhealthy, booleanOf(vector, "unhealthy_after"));
    isUnhealthy = step.isUnhealthy;
  };
}

function scopes(
  other: string,
  isAllowed: typeof isInboundAllowed,
): (vector: VectorObject) => void {
  return (vector) => {
    const local = parseDataScope(textOf(vector, "local"));
    const theirs = parseDataScope(textOf(vector, other));
    assert.ok(local !== undefined && theirs !== undefined);
    assert.equal(isAllowed(local, theirs), booleanOf(vector, "allowed"));
  };
}

function checkGc(vector: VectorObject): void {
  const isUnderPressure = booleanOf(vector, "disk_pressure_critical");
  const chunk = {
    refcount: numberOf(vector, "refcount"),
    isPinned: booleanOf(vector, "pinned"),
    firstSeenMs: 0,
  };
  const rule = { retentionFloorMs: numberOf(vector, "floor_ms"), isUnderPressure };
  const isTaken = isDeletable(chunk, rule, numberOf(vector, "age_ms"));
  // Under pressure the reference deletes nothing; `decisions.md` 17 has it the other way round.
  assert.equal(isTaken, isUnderPressure ? true : booleanOf(vector, "deletable"));
  if (isUnderPressure) assert.equal(booleanOf(vector, "deletable"), false);
}

function checkRoom(vector: VectorObject): void {
  const size = numberOf(vector, "size");
  assert.equal(gibFor(size), numberOf(vector, "migrate_required_gib"));
  assert.equal(gibFor(size), numberOf(vector, "overflow_target_required_gib"));
  assert.equal(gibFor(overflowRoomBytes(size)), numberOf(vector, "overflow_accept_required_gib"));
}

function bandwidth(document: unknown): (vector: VectorObject) => void {
  const settings = objectOf(valueAt(document, "bandwidth_bucket.bucket"), "bucket");
  const capacity = numberOf(settings, "capacity");
  assert.equal(capacity, numberOf(settings, "refill_per_s"));
  const bucket = new BandwidthBucket({
    fraction: 1,
    peakBytesPerSecond: capacity,
    backgroundFraction: floatOf(settings, "background_fraction"),
  }, 0);
  return (vector) => {
    const nowMs = numberOf(vector, "t") * 1000;
    const isGranted = bucket.grant(classOf(vector), numberOf(vector, "bytes"), nowMs);
    assert.equal(isGranted, booleanOf(vector, "granted"));
    assert.equal(bucket.availableAt(nowMs), numberOf(vector, "available_after"));
  };
}

/** Every family of the file against the text, and the file's order against the text's. */
function metricFamilies(document: unknown): GatheredCases {
  const families = recordOf(objectOf(document, "document"), "families");
  const text = renderBlobMetrics("<id>", createBlobMetrics());
  const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  const order = listOf(objectOf(document, "document"), "order");
  return {
    cases: order.map((name, at) => ({ name, at })),
    check: (vector) => {
      const name = textOf(vector, "name");
      assert.equal(names[numberOf(vector, "at")], name);
      assert.equal(names.length, order.length);
      const family = recordOf(families, name);
      assert.ok(text.includes(`# TYPE ${name} ${textOf(family, "type")}\n`));
      const series = [...text.matchAll(new RegExp(`^${name}\\{(.*)\\} `, "gm"))]
        .map(([, labels = ""]) => labels.replace('"<id>"', "<id>"));
      assert.deepEqual(series, listOf(family, "series"));
    },
  };
}

function overflowDefaults(document: unknown): GatheredCases {
  const defaults = recordOf(objectOf(document, "document"), "overflow_defaults");
  const keys: Readonly<Record<string, string>> = { enabled: "isEnabled" };
  const { overflow } = DEFAULT_DATA_POLICY;
  const shown = showDataPolicy(DEFAULT_DATA_POLICY).map(({ key }) => key);
  return {
    cases: Object.entries(defaults).map(([name, value]) => ({ name, value })),
    check: (vector) => {
      const name = textOf(vector, "name");
      assert.equal(Reflect.get(overflow, keys[name] ?? name), vector.value);
      const key = name.replace(/Ms$/, "").replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      assert.ok(shown.includes(`overflow.${key}`));
    },
  };
}

function classOf(vector: VectorObject): BandwidthClass {
  const name = BANDWIDTH_CLASSES.find((known) => known === textOf(vector, "class"));
  assert.ok(name !== undefined);
  return name;
}

function floatOf(vector: VectorObject, field: string): number {
  const value = vector[field];
  if (value === "NaN") return NaN;
  assert.ok(typeof value === "number", `${field} is a number`);
  return value;
}

function assertNear(actual: number, expected: number): void {
  assert.ok(
    Math.abs(actual - expected) <= 1e-12 * Math.max(1e-6, expected),
    `${actual}, ${expected}`,
  );
}
