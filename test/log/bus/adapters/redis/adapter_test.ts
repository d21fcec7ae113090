/** The Redis adapter against a real server: the suite for all engines, and what is Redis's own. */
import assert from "node:assert/strict";
import { createRedisAdapter } from "../../../../../src/log/bus/adapters/redis/mod.ts";
import type { RedisAdapterOptions } from "../../../../../src/log/bus/adapters/redis/mod.ts";
import { batchOf, bytesOf, openAdapter, pollAll, SIGNAL } from "../../engines/adapter_kit.ts";
import { engineCompliance } from "../../engines/compliance.ts";
import { addEntry, redisTest, startRedis } from "../../engines/redis_server.ts";
import type { ServerProcess } from "../../engines/server_process.ts";

const create = ({ port }: ServerProcess, options: Partial<RedisAdapterOptions> = {}) =>
  createRedisAdapter({ url: `redis://127.0.0.1:${port}`, ...options }, { log: { warn() {} } });

engineCompliance({
  name: "Redis",
  test: redisTest,
  startServer: () => startRedis(),
  create: (server) => create(server, { commandTimeoutMs: 500 }),
  inject: ({ port }, shard, data) => addEntry(port, `net:shard:${shard}`, data),
});

redisTest("Redis: keys and fields are those of the Rust core", async () => {
  await using server = await startRedis();
  await using adapter = await openAdapter(create(server, { prefix: "own" }));
  const batch = batchOf([bytesOf('{"a":1}')], {
    shard: 3,
    producerNonce: 0xabcn,
    sequenceStart: 7n,
  });
  await adapter.write(batch, SIGNAL);
  const [reply = ""] = await server.run("XRANGE own:shard:3 - +");
  assert.match(
    reply,
    /\$1\r\nd\r\n\$27\r\n\{"r":\{"a":1\},"t":100,"s":3\}\r\n\$8\r\ndedup_id\r\n\$9\r\nabc:3:7:0\r\n/,
  );
});

redisTest("Redis: streamEventsMax keeps a stream about that long", async () => {
  await using server = await startRedis();
  await using adapter = await openAdapter(create(server, { streamEventsMax: 200 }));
  await adapter.write(batchOf(Array.from({ length: 3_000 }, () => bytesOf("1"))), SIGNAL);
  const { length } = await pollAll(adapter);
  assert.ok(length >= 200 && length < 600, `${length} events`);
});
