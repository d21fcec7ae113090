/** Redis killed in the middle of a stream. */
import {
  createRedisAdapter,
  RedisStreamDedup,
} from "../../../../../src/log/bus/adapters/redis/mod.ts";
import { redisTest, startRedis } from "../../engines/redis_server.ts";
import { assertComplete, streamThroughKills } from "../../engines/restarts.ts";

redisTest(
  "Redis: 20,000 events are all there once after dedup, though it is killed 5 times",
  async () => {
    await using server = await startRedis();
    const options = { url: server.url, commandTimeoutMs: 300 };
    const shards = await streamThroughKills(server, (log) => createRedisAdapter(options, { log }));
    assertComplete(shards.map((each) => new RedisStreamDedup().filter(each)));
  },
);
