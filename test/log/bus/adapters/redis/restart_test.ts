/** Redis killed in the middle of a stream. */
import assert from "node:assert/strict";
import {
  createRedisAdapter,
  RedisStreamDedup,
} from "../../../../../src/log/bus/adapters/redis/mod.ts";
import { openAdapter } from "../../engines/adapter_kit.ts";
import { redisTest, startRedis } from "../../engines/redis_server.ts";
import { assertComplete, streamThroughKills } from "../../engines/restarts.ts";

redisTest(
  "Redis: no event of 20,000 is lost by kill -9, and none is there twice after dedup",
  async () => {
    await using server = await startRedis();
    await using adapter = await openAdapter(
      createRedisAdapter({ url: server.url, commandTimeoutMs: 300 }, { log: { warn() {} } }),
    );
    const { shards, retries } = await streamThroughKills(server, adapter);
    const events = shards.flat().length;
    assertComplete(shards.map((each) => new RedisStreamDedup().filter(each)));
    console.log(`Redis: ${events - 20_000} repeats in the stream, ${retries} batches tried again`);
    assert.ok(events < 40_000);
  },
);
