import assert from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import {
  loadNodeConfig,
  parseBusFull,
  parseFsync,
  parseRetention,
  parseSize,
} from "../../src/config/mod.ts";

const load = (flags: object, env: Readonly<Record<string, string>> = {}) =>
  loadNodeConfig({ flags, env: { HOME: "/home/ada", ...env }, cwd: "/srv" });

Deno.test("parseSize() reads sizes as powers of 1024", () => {
  for (
    const [text, bytes] of [
      ["0", 0],
      ["17", 17],
      ["17B", 17],
      ["4K", 4096],
      ["4KiB", 4096],
      ["1.5M", 1_572_864],
      ["2g", 2_147_483_648],
      ["1TB", 1024 ** 4],
    ] as const
  ) assert.equal(parseSize(text), bytes, text);
  for (const text of ["", "K", "1X", "-1", "1e3", "999999999999999T", "1 K"]) {
    assert.equal(parseSize(text), undefined, text);
  }
});

Deno.test("parseFsync() reads every policy and nothing that says nothing", () => {
  assert.deepEqual(parseFsync("never"), { kind: "never" });
  assert.deepEqual(parseFsync("every:100"), { kind: "every-n", records: 100 });
  assert.deepEqual(parseFsync("interval:1s"), { kind: "interval", ms: 1_000 });
  assert.deepEqual(parseFsync("interval:250ms, bytes:4M"), {
    kind: "interval-or-bytes",
    ms: 250,
    bytes: 4_194_304,
  });
  assert.deepEqual(parseFsync("bytes:1K"), { kind: "interval-or-bytes", ms: 0, bytes: 1_024 });
  for (
    const text of [
      "",
      "always",
      "every",
      "every:0",
      "every:1.5",
      "interval:0s",
      "interval:30d",
      "every:5,interval:1s",
      "interval:1s,interval:2s",
      "bytes:0",
      "interval:1s,other:2",
      "constructor:1",
    ]
  ) assert.equal(parseFsync(text), undefined, text);
});

Deno.test("parseRetention() reads limits, each once", () => {
  assert.deepEqual(parseRetention("all"), {});
  assert.deepEqual(parseRetention("events:1000,bytes:1G,age:90d"), {
    eventsMax: 1_000,
    bytesMax: 1_073_741_824,
    ageMaxMs: 90 * 86_400_000,
  });
  assert.deepEqual(parseRetention("age:5m"), { ageMaxMs: 300_000 });
  for (const text of ["", "0", "events:0", "events:1,events:2", "age:x", "size:1", "bytes:-1"]) {
    assert.equal(parseRetention(text), undefined, text);
  }
});

Deno.test("parseBusFull() reads the modes of a full ring", () => {
  assert.deepEqual(parseBusFull("drop-oldest"), { kind: "drop-oldest" });
  assert.deepEqual(parseBusFull("fail"), { kind: "fail-producer" });
  assert.deepEqual(parseBusFull("sample:10"), { kind: "sample", rate: 10 });
  for (const text of ["", "sample", "sample:0", "drop"]) {
    assert.equal(parseBusFull(text), undefined);
  }
});

Deno.test("loadNodeConfig() takes settings of log and bus from every layer", () => {
  const config = load({ logFsync: "every:5", bus: "redis" }, {
    NET_LOG_FSYNC: "never",
    NET_LOG_KEEP: "events:7",
    NET_BUS_URL: "redis://:secret@host",
    NET_BUS_SHARDS: "2",
  });
  assert.deepEqual([config.logFsync, config.logKeep], [{ kind: "every-n", records: 5 }, {
    eventsMax: 7,
  }]);
  assert.deepEqual([config.bus, config.busUrl, config.busShards], [
    "redis",
    "redis://:secret@host",
    2,
  ]);
  assert.deepEqual(
    [
      config.origins.logFsync,
      config.origins.logKeep,
      config.origins.busUrl,
      config.origins.busFull,
    ],
    ["flag", "environment", "environment", "default"],
  );
  assert.equal(load({ bus: "jetstream", busUrl: "@nats.url" }).busUrl, "@/srv/nats.url");
  assert.equal(load({}, { NET_BUS_URL: "redis://x" }).busUrl, undefined, "not needed");
});

Deno.test("loadNodeConfig() refuses a bus without its address, and never repeats one", () => {
  for (
    const [flags, env] of [
      [{ bus: "redis" }, {}],
      [{ bus: "nonsense" }, { NET_BUS_URL: "redis://:secret@x" }],
      [{ busUrl: "redis://:secret@x" }, {}],
      [{ bus: "redis", busUrl: "redis://:secret@x", busShards: "0" }, {}],
    ] as const
  ) {
    assert.throws(() => load(flags, env), (error) => {
      assert.ok(error instanceof NetError);
      return ["usage", "config_invalid"].includes(error.code) && !/secret/.test(error.message);
    });
  }
});

Deno.test("loadNodeConfig() reads whom the bus feeds and who feeds it", () => {
  const id = "0123456789abcdef";
  const feeding = load({ bus: "mesh", busPeer: id });
  assert.deepEqual([feeding.busPeer, feeding.busAccept], [0x0123456789abcdefn, []]);
  assert.deepEqual(load({ busAccept: [id, "00000000000000aa"] }).busAccept, [
    0x0123456789abcdefn,
    0xaan,
  ]);
  assert.equal(load({}, { NET_BUS_ACCEPT: "any" }).busAccept, "any");
  assert.equal(load({}, { NET_BUS_PEER: id }).busPeer, undefined, "not needed");
  for (
    const flags of [
      { bus: "mesh" },
      { bus: "mesh", busPeer: "somebody" },
      { busPeer: id },
      { busAccept: ["some"] },
      { busAccept: ["any", id] },
    ]
  ) {
    assert.throws(
      () => load(flags),
      (error) => error instanceof NetError && error.code === "usage",
    );
  }
});
