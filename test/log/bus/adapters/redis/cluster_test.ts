/** A cluster of Redis servers: shards live on several nodes, and move. */
import assert from "node:assert/strict";
import { createRedisAdapter } from "../../../../../src/log/bus/adapters/redis/mod.ts";
import {
  batchOf,
  bytesOf,
  openAdapter,
  pollAll,
  SIGNAL,
  textOf,
} from "../../engines/adapter_kit.ts";
import { type RedisServer, redisTest, startRedis } from "../../engines/redis_server.ts";

const SLOTS = 16_384;
const HALF = SLOTS / 2;

redisTest("Redis: shards of a cluster are found on their nodes, and after they moved", async () => {
  await using a = await startRedis("--cluster-enabled", "yes");
  await using b = await startRedis("--cluster-enabled", "yes");
  await a.run(`CLUSTER ADDSLOTSRANGE 0 ${HALF - 1}`);
  await b.run(`CLUSTER ADDSLOTSRANGE ${HALF} ${SLOTS - 1}`);
  await a.run(`CLUSTER MEET 127.0.0.1 ${b.port}`);
  await untilOk(a);
  await untilOk(b);
  await using adapter = await openAdapter(
    createRedisAdapter({ url: a.url }, { log: { warn() {} } }),
  );
  const shards = Array.from({ length: 8 }, (_, shard) => shard);
  const write = (sequenceStart: bigint) =>
    Promise.all(
      shards.map((shard) =>
        adapter.write(batchOf([bytesOf(`${shard}`)], { shard, sequenceStart }), SIGNAL)
      ),
    );
  await write(0n);
  const sizes = (await Promise.all([a, b].map((each) => each.run("DBSIZE")))).flat();
  assert.ok(sizes.every((size) => size !== ":0\r\n"), `both nodes have keys: ${sizes}`);

  // All slots of the first node move, with their keys; the adapter learns of it by being sent on.
  const [[idOfB = ""], [idOfA = ""]] = await Promise.all([idOf(b), idOf(a)]);
  for (const shard of shards) {
    const slot = Number((await a.run(`CLUSTER KEYSLOT net:shard:${shard}`))[0]?.slice(1));
    if (slot >= HALF) continue;
    await b.run(`CLUSTER SETSLOT ${slot} IMPORTING ${idOfA}`);
    await a.run(`CLUSTER SETSLOT ${slot} MIGRATING ${idOfB}`);
    await a.run(`MIGRATE 127.0.0.1 ${b.port} net:shard:${shard} 0 1000`);
    for (const each of [b, a]) await each.run(`CLUSTER SETSLOT ${slot} NODE ${idOfB}`);
  }
  await write(1n);
  for (const shard of shards) {
    const events = await pollAll(adapter, shard);
    assert.deepEqual(events.map(({ raw }) => textOf(raw)), [`${shard}`, `${shard}`]);
  }
  assert.deepEqual(await adapter.shards?.(SIGNAL), shards);
  assert.equal(await adapter.isHealthy(SIGNAL), true);
});

async function untilOk(server: RedisServer): Promise<void> {
  while (!(await server.run("CLUSTER INFO"))[0]?.includes("cluster_state:ok")) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function idOf(server: RedisServer): Promise<string[]> {
  const [reply = ""] = await server.run("CLUSTER MYID");
  return [reply.split("\r\n")[1] ?? ""];
}
