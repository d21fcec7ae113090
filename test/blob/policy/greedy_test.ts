import assert from "node:assert/strict";
import fc from "fast-check";
import {
  BandwidthBucket,
  DEFAULT_DATA_POLICY,
  type GreedyEvent,
  GreedyMetrics,
  type GreedyView,
  greedyWarmth,
  observeGreedy,
  refuseGreedy,
  WarmCache,
} from "../../../src/blob/mod.ts";

const RULE = { ...DEFAULT_DATA_POLICY.greedy, isEnabled: true };
const EVENT: GreedyEvent = { channel: "c", payloadBytes: 10, labels: [] };
const VIEW: GreedyView = {
  satisfiesIntent: (intent) => ({ able: true, unable: false })[intent],
  intents: [],
  isChainCached: (hex) => hex === "aa",
};
const bucket = (bytes = 1_000) =>
  new BandwidthBucket({ fraction: 1, peakBytesPerSecond: bytes, backgroundFraction: 0.25 }, 0);
const cache = () => new WarmCache({ capBytes: 100, restMs: 0 }, () => 0);

Deno.test("greedy caching refuses for the first rule that does not hold", () => {
  const refuse = (event: Partial<GreedyEvent>, rule = {}, view = {}) =>
    refuseGreedy({ ...EVENT, ...event }, { ...RULE, ...rule }, { ...VIEW, ...view });
  assert.equal(refuse({}), undefined);
  assert.equal(refuse({}, { isEnabled: false }), "scope");
  assert.equal(refuse({ rttMs: 999 }, { scopes: ["eu"] }), "scope");
  assert.equal(refuse({ labels: ["eu"] }, { scopes: ["eu"] }), undefined);
  assert.equal(refuse({ rttMs: 201, intent: "unable" }, { intentMatch: "strict" }), "proximity");
  assert.equal(refuse({ rttMs: 200 }), undefined);
  assert.equal(refuse({ intent: "unable" }, { intentMatch: "strict" }), "intent");
  assert.equal(refuse({ intent: "unheard" }, { intentMatch: "strict" }), undefined);
  assert.equal(refuse({}, { intentMatch: "strict" }), undefined);
  assert.equal(refuse({}, {}, { intents: ["unable"] }), "intent");
  assert.equal(refuse({}, {}, { intents: ["unable", "able"] }), undefined);
  assert.equal(refuse({}, { intentMatch: "disabled" }, { intents: ["unable"] }), undefined);
  assert.equal(refuse({ colocateWithStrict: "bb" }), "colocation");
  assert.equal(refuse({ colocateWithStrict: "bb" }, { colocation: "ignore" }), undefined);
  assert.equal(refuse({ colocateWith: "bb" }), undefined);
  assert.equal(refuse({ colocateWith: "bb" }, { colocation: "strict" }), "colocation");
  assert.equal(refuse({ colocateWith: "aa" }, { colocation: "strict" }), undefined);
});

Deno.test("what has no room costs no budget, and what has no budget takes no room", () => {
  const stock = { cache: cache(), bucket: bucket() };
  const large = observeGreedy({ ...EVENT, payloadBytes: 101 }, RULE, VIEW, stock, 0);
  assert.deepEqual(large, { isAdmitted: false, reason: "capacity" });
  assert.equal(stock.bucket.availableAt(0), 1_000);
  const poor = { cache: cache(), bucket: bucket(5) };
  poor.bucket.grant("foreground", 1, 0);
  const late = observeGreedy(EVENT, RULE, VIEW, poor, 0);
  assert.deepEqual([late, poor.cache.bytes], [{ isAdmitted: false, reason: "bandwidth" }, 0]);
});

Deno.test("whatever passes by, the cache stays within its quota and the link within its share", () => {
  const events = fc.array(fc.tuple(fc.nat(30), fc.integer({ min: 1, max: 120 }), fc.nat(500)));
  fc.assert(fc.property(events, (steps) => {
    const stock = { cache: cache(), bucket: bucket(100) };
    let [nowMs, taken] = [0, 0];
    for (const [channel, payloadBytes, waitMs] of steps) {
      nowMs += waitMs;
      const event = { ...EVENT, channel: `c${channel}`, payloadBytes };
      if (observeGreedy(event, RULE, VIEW, stock, nowMs).isAdmitted) taken += payloadBytes;
      assert.ok(stock.cache.bytes <= 100);
      assert.ok(taken <= 100 + nowMs / 10 + 1e-6);
    }
  }));
});

Deno.test("what is read more, nearer in scope and nearer on the wire weighs more", () => {
  const weight = greedyWarmth(4, 1, undefined, 200);
  assert.equal(weight, 4);
  assert.ok(greedyWarmth(5, 1, undefined, 200) > weight);
  assert.ok(greedyWarmth(4, 0.5, undefined, 200) < weight);
  assert.equal(greedyWarmth(4, 1, 200, 200), 2);
});

Deno.test("greedy metrics bound the channels they name, and show every reason at zero", () => {
  const metrics = new GreedyMetrics();
  for (let i = 0; i < 1_030; i++) metrics.channel(`c${i}`).cacheHits += 1;
  metrics.channel("c0").serves += 2;
  metrics.admitRejected.proximity += 1;
  const text = metrics.render();
  assert.match(text, /^dataforts_greedy_cache_hits_total\{channel="__overflow__"\} 6$/m);
  assert.match(text, /^dataforts_greedy_serve_count_total\{channel="c0"\} 2$/m);
  assert.match(text, /^dataforts_greedy_admit_rejected_total\{reason="proximity"\} 1$/m);
  assert.match(text, /^dataforts_greedy_blob_pulls_rejected_total\{reason="unhealthy"\} 0$/m);
  assert.match(text, /^dataforts_gravity_emit_total 0$/m);
  assert.equal([...text.matchAll(/^# TYPE/gm)].length, 13);
});
