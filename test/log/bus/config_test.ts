import assert from "node:assert/strict";
import { systemClock } from "../../../src/base/mod.ts";
import { openUdpSocket } from "../../../src/core/transport/mod.ts";
import {
  BATCH_PRESETS,
  BusError,
  createLogAdapter,
  createMemoryAdapter,
  createMeshAdapter,
  createNetAdapter,
  type FeedLink,
  formatBackpressure,
  type NetAdapterOptions,
  openRedex,
  parseBackpressure,
  SCALING_PRESETS,
} from "../../../src/log/mod.ts";
import { type BusOptions, createBusConfig } from "../../../src/log/bus/config.ts";

const refused = (options: unknown, pattern?: RegExp) =>
  assert.throws(
    () => createBusConfig(options as BusOptions, 4),
    (error) =>
      error instanceof BusError && error.kind === "config" &&
      (pattern === undefined || pattern.test(error.message)),
    JSON.stringify(options),
  );

Deno.test("what is left out has the reference's default", () => {
  const config = createBusConfig({}, 4);
  assert.deepEqual({ ...config, scaling: undefined, ringBytesMax: 0 }, {
    name: "default",
    shards: 4,
    ringSlots: 1_048_576,
    ringBytesMax: 0,
    backpressure: { kind: "drop-oldest" },
    batch: {
      eventsMin: 1_000,
      eventsMax: 10_000,
      delayMaxMs: 10,
      isAdaptive: true,
      velocityWindowMs: 100,
    },
    adapterTimeoutMs: 30_000,
    adapterRetries: 0,
    scaling: undefined,
    producerNoncePath: undefined,
  });
  assert.equal(config.scaling?.shardsMax, 4);
  assert.equal(createBusConfig({ shards: 9 }, 4).scaling?.shardsMax, 9);
});

Deno.test("presets are valid", () => {
  for (const batch of Object.values(BATCH_PRESETS)) createBusConfig({ batch }, 4);
  for (const preset of Object.values(SCALING_PRESETS)) createBusConfig({ scaling: preset(4) }, 4);
});

Deno.test("unknown options and modes are errors that name what there is", () => {
  refused({ shard: 1 }, /unknown option "shard"/);
  refused({ batch: { maxSize: 1 } }, /unknown batch option "maxSize"/);
  refused({ scaling: { maximum: 1 } }, /unknown scaling option "maximum"/);
  for (
    const mode of [
      "drop",
      "drop_oldes",
      "",
      "sample",
      "sample:",
      "sample:0",
      "sample:-1",
      "sample:1.5",
    ]
  ) {
    refused({ backpressure: mode }, /backpressure/);
  }
  refused({ backpressure: { kind: "sample", rate: 2 ** 32 } }, /4294967295/);
  refused({ backpressure: { kind: "other" } }, /"other"/);
});

Deno.test("values out of range are errors", () => {
  const options = [
    { shards: 0 },
    { shards: 65_536 },
    { shards: 1.5 },
    { ringSlots: 1_000 },
    { ringSlots: 512 },
    { ringSlots: 1_500 },
    { ringBytesMax: 0 },
    { adapterTimeoutMs: 0 },
    { adapterRetries: -1 },
    { name: "A" },
    { name: "" },
    { batch: { eventsMin: 0 } },
    { batch: { eventsMin: 11_000 } },
    { batch: { eventsMax: 1_000_001 } },
    { batch: { delayMaxMs: 0 } },
    { batch: { delayMaxMs: NaN } },
    { batch: { velocityWindowMs: 0 } },
    { scaling: { fillMax: 0 } },
    { scaling: { fillMax: NaN } },
    { scaling: { underusedFill: 1.1 } },
    { scaling: { cooldownMs: 0 } },
    { scaling: { scaleDownDelayMs: Infinity } },
    { scaling: { windowMs: 0 } },
    { scaling: { shardsMin: 5 } },
    { scaling: { shardsMin: 0 } },
  ];
  for (const each of options) refused(each);
  createBusConfig({ batch: { isAdaptive: false, velocityWindowMs: 0 } }, 4);
});

Deno.test("unknown options of adapters are errors too", () => {
  const isUnknown = /unknown option of the \w+ adapter "maximum"/;
  const link = { nodeId: 1n } as FeedLink;
  const clock = systemClock;
  const openSocket = () => openUdpSocket({ host: "127.0.0.1", port: 0 });
  const options = { maximum: 1 } as object;
  assert.throws(() => createMemoryAdapter(options), isUnknown);
  assert.throws(() => createLogAdapter(openRedex({ clock }), options), isUnknown);
  assert.throws(
    () => createMeshAdapter({ link, inner: createMemoryAdapter() }, options),
    isUnknown,
  );
  assert.throws(
    () => createNetAdapter({ clock, openSocket }, options as NetAdapterOptions),
    isUnknown,
  );
});

Deno.test("modes have texts", () => {
  for (const text of ["drop_newest", "drop_oldest", "fail_producer", "sample:10"]) {
    assert.equal(formatBackpressure(parseBackpressure(text)), text);
  }
  assert.deepEqual(parseBackpressure("drop-oldest"), { kind: "drop-oldest" });
});
