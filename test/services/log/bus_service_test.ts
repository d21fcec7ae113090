import assert from "node:assert/strict";
import { NetError, utf8 } from "../../../src/base/mod.ts";
import { createMetricRegistry, silentLog } from "../../../src/observe/mod.ts";
import { type BusFeedLink, BusService, type BusSettings } from "../../../src/services/mod.ts";
import { startLogs } from "./log_kit.ts";

const DEFAULTS = {
  fsync: { kind: "never" },
  retention: {},
  sweepMs: 0,
  segmentBytesMax: undefined,
} as const;

/** A mesh with nobody in it. */
const transport: BusFeedLink = {
  nodeId: 1n,
  connectedPeers: () => [],
  peer: () => undefined,
  acceptStream: () => () => {},
  openReceiveStream: () => () => {},
  openSendStream: () => {
    throw new NetError("unreachable", "Cannot send: no session");
  },
};

async function startBus(settings: Partial<BusSettings> = {}, files: Record<string, string> = {}) {
  const kit = await startLogs();
  const warnings: object[] = [];
  const bus = new BusService({
    clock: kit.clock,
    random: (length) => new Uint8Array(length).fill(1),
    log: { ...silentLog, warn: (_, fields) => void warnings.push(fields ?? {}) },
    metrics: createMetricRegistry(),
    logs: kit.logs,
    mesh: { transport },
    reach: () => Promise.reject(new NetError("unreachable", "Cannot reach it")),
    readFile: (path) => {
      const text = files[path];
      return text === undefined
        ? Promise.reject(new Deno.errors.NotFound("no such file"))
        : Promise.resolve(utf8(text));
    },
  }, {
    engine: "log",
    url: undefined,
    peer: undefined,
    accept: [],
    shards: 2,
    full: undefined,
    defaults: DEFAULTS,
    ...settings,
  });
  await bus.start();
  /** Runs something that waits for the clock. */
  const passing = async <T>(work: Promise<T>): Promise<T> => {
    let isDone = false;
    const settled = work.catch(() => {}).finally(() => isDone = true);
    assert.ok(await kit.clock.advanceUntil(() => isDone, 60_000));
    await settled;
    return await work;
  };
  return {
    ...kit,
    bus,
    warnings,
    passing,
    [Symbol.asyncDispose]: async () => {
      await passing(bus.stop());
      await kit.logs.stop();
    },
  };
}

Deno.test("BusService keeps events in the node's log, made when first used", async () => {
  await using kit = await startBus();
  assert.deepEqual(await kit.logs.names(), []);
  const events = ["{}", "1", '"x"'].map((text) => utf8(text));
  const published = await kit.passing(kit.bus.publish(events, { isFlushed: true }));
  assert.deepEqual(published, { taken: 3, refused: 0 });
  assert.ok((await kit.logs.names()).every((name) => name.startsWith("bus/default/")));
  const page = await kit.passing((await kit.bus.open()).poll({ limit: 10 }));
  assert.equal(page.events.length, 3);
  assert.equal(kit.bus.health().state, "healthy");
});

Deno.test("BusService refuses, or waits, when the bus is full", async () => {
  await using kit = await startBus({ engine: "noop", shards: 1, full: { kind: "fail-producer" } });
  const big = new Uint8Array(15 * 1024 * 1024);
  const many = [big, big, big, big, big, big];
  const refused = await kit.bus.publish(many);
  assert.ok(refused.refused > 0 && refused.taken > 0, JSON.stringify(refused));
  const patient = await kit.passing(kit.bus.publish(many, { isPatient: true, isFlushed: true }));
  assert.deepEqual(patient, { taken: 6, refused: 0 });
});

Deno.test("BusService says why its engine can't be used, without its address", async () => {
  const url = "@/secret/url";
  await assert.rejects(startBus({ engine: "redis", url }), (error) => {
    assert.ok(error instanceof NetError);
    return error.code === "config_invalid" && error.message.includes("/secret/url");
  });
  const files = { "/secret/url": "redis://:hunter2@:x:/\n" };
  for (const engine of ["redis", "jetstream"] as const) {
    await assert.rejects(startBus({ engine, url }, files), (error) => {
      assert.ok(error instanceof NetError);
      return error.code === "config_invalid" && !error.message.includes("hunter2");
    });
  }
});

Deno.test("BusService does not wait for an engine that hangs when the node stops", async () => {
  const kit = await startBus({ engine: "noop" });
  await kit.bus.publish([utf8("1")]);
  const bus = await kit.bus.open();
  let wasAbandoned = false;
  Object.assign(bus, {
    shutdown: () => new Promise(() => {}),
    abandon: () => wasAbandoned = true,
  });
  const original = Object.getPrototypeOf(bus);
  await kit.passing(kit.bus.stop());
  assert.equal(wasAbandoned, true);
  await original.abandon.call(bus);
  await kit.logs.stop();
});

Deno.test("BusService takes nothing once it has stopped", async () => {
  await using kit = await startBus({ engine: "noop" });
  await kit.bus.publish([utf8("1")]);
  await kit.passing(kit.bus.stop());
  await assert.rejects(
    kit.bus.publish([utf8("1")]),
    (error) => error instanceof NetError && error.code === "draining",
  );
});

Deno.test("BusService says which node gets its events, and that it can't be reached", async () => {
  await using kit = await startBus({ engine: "mesh", peer: 0xabcn, accept: [7n] });
  assert.deepEqual([kit.bus.feed.peer, kit.bus.feed.isConnected, kit.bus.feed.accept], [
    "0000000000000abc",
    false,
    ["0000000000000007"],
  ]);
  await kit.clock.advance(15_000);
  assert.match(kit.bus.health().detail ?? "", /0000000000000abc/);
});
