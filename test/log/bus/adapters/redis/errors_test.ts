/** What Redis says against a batch, by real states of a server where there are any, else by what one would send. */
import assert from "node:assert/strict";
import {
  createRedisAdapter,
  type RedisAdapterOptions,
} from "../../../../../src/log/bus/adapters/redis/mod.ts";
import type { BusErrorKind } from "../../../../../src/log/bus/mod.ts";
import { batchOf, bytesOf, failureOf, openAdapter, SIGNAL } from "../../engines/adapter_kit.ts";
import { startFakeRedis } from "../../engines/fake_redis.ts";
import { redisTest, startRedis } from "../../engines/redis_server.ts";

const create = (port: number, options: Partial<RedisAdapterOptions> = {}) =>
  createRedisAdapter(
    { url: `redis://127.0.0.1:${port}`, commandTimeoutMs: 500, ...options },
    { log: { warn() {} } },
  );
const batch = batchOf([bytesOf("1")]);

const REPLIES: readonly (readonly [string, BusErrorKind])[] = [
  ["MOVED 866 127.0.0.1:7001", "transient"],
  ["ASK 866 127.0.0.1:7001", "transient"],
  ["READONLY You can't write against a read only replica.", "transient"],
  ["CLUSTERDOWN The cluster is down", "transient"],
  ["NOREPLICAS Not enough good replicas to write.", "transient"],
  ["LOADING Redis is loading the dataset in memory", "transient"],
  ["MASTERDOWN Link with MASTER is down", "transient"],
  ["TRYAGAIN Multiple keys request during rehashing of slot", "transient"],
  ["BUSY Redis is busy running a script", "transient"],
  ["ERR max number of clients reached", "transient"],
  ["OOM command not allowed when used memory > 'maxmemory'.", "backpressure"],
  ["MISCONF Redis is configured to save RDB snapshots", "backpressure"],
  ["NOAUTH Authentication required.", "fatal"],
  ["WRONGPASS invalid username-password pair or user is disabled.", "fatal"],
  ["NOPERM this user has no permissions to run the 'xadd' command", "fatal"],
  ["WRONGTYPE Operation against a key holding the wrong kind of value", "fatal"],
  ["CROSSSLOT Keys in request don't hash to the same slot", "fatal"],
  ["ERR unknown command 'XADD'", "fatal"],
  ["SOMETHING nobody has heard of", "fatal"],
];

for (const [reply, kind] of REPLIES) {
  Deno.test(`Redis: "${reply.split(" ").slice(0, 4).join(" ")}" is ${kind}`, async () => {
    await using server = startFakeRedis(([name]) => {
      if (name === "multi") return "+OK\r\n";
      if (name === "exec") {
        return "-EXECABORT Transaction discarded because of previous errors.\r\n";
      }
      return name === "xadd" || name === "xrange" ? `-${reply}\r\n` : undefined;
    });
    await using adapter = await openAdapter(create(server.port));
    const written = await failureOf(adapter.write(batch, SIGNAL));
    assert.equal(written.kind, kind);
    assert.equal(written.data?.reply, reply.split(" ")[0]);
    assert.equal(written.isRetryable, kind !== "fatal");
    assert.equal((await failureOf(adapter.poll(0, undefined, 1, SIGNAL))).kind, kind);
  });
}

Deno.test("Redis: an error of a command inside EXEC fails the batch", async () => {
  await using server = startFakeRedis(([name]) => {
    if (name === "multi") return "+OK\r\n";
    if (name === "exec") return "*1\r\n-WRONGTYPE Operation against a key\r\n";
    return name === "xadd" ? "+QUEUED\r\n" : undefined;
  });
  await using adapter = await openAdapter(create(server.port));
  assert.equal((await failureOf(adapter.write(batch, SIGNAL))).kind, "fatal");
});

Deno.test("Redis: a batch of which a part was acknowledged goes on behind that part", async () => {
  let execs = 0;
  await using server = startFakeRedis(([name]) => {
    if (name === "multi") return "+OK\r\n";
    if (name === "xadd") return "+QUEUED\r\n";
    if (name !== "exec") return undefined;
    return ++execs === 2 ? "-LOADING again\r\n" : "*2\r\n$3\r\n1-1\r\n$3\r\n1-2\r\n";
  });
  await using adapter = await openAdapter(create(server.port, { pipelineEventsMax: 2 }));
  const four = batchOf(["1", "2", "3", "4"].map(bytesOf));
  assert.equal((await failureOf(adapter.write(four, SIGNAL))).kind, "transient");
  await adapter.write(four, SIGNAL);
  assert.equal(server.commands.filter((name) => name === "XADD").length, 6);
});

redisTest("Redis: a full memory is backpressure, and over when there is room", async () => {
  await using server = await startRedis("--maxmemory-policy", "noeviction");
  await using adapter = await openAdapter(create(server.port));
  await server.run("CONFIG SET maxmemory 1");
  const failure = await failureOf(adapter.write(batch, SIGNAL));
  assert.equal(failure.kind, "backpressure");
  assert.match(failure.next ?? "", /maxmemory/);
  await server.run("CONFIG SET maxmemory 0");
  await adapter.write(batch, SIGNAL);
});

redisTest("Redis: a replica is transient, and takes events once it is promoted", async () => {
  await using master = await startRedis();
  await using replica = await startRedis("--replicaof", "127.0.0.1", String(master.port));
  await using adapter = await openAdapter(create(replica.port));
  assert.equal((await failureOf(adapter.write(batch, SIGNAL))).data?.reply, "READONLY");
  await replica.run("REPLICAOF NO ONE");
  await adapter.write(batch, SIGNAL);
});

redisTest("Redis: a master without the replicas it wants is transient", async () => {
  await using server = await startRedis("--min-replicas-to-write", "1");
  await using adapter = await openAdapter(create(server.port));
  assert.equal((await failureOf(adapter.write(batch, SIGNAL))).data?.reply, "NOREPLICAS");
});

redisTest("Redis: a key that holds something else is fatal", async () => {
  await using server = await startRedis();
  await server.run("SET net:shard:0 x");
  await using adapter = await openAdapter(create(server.port));
  assert.equal((await failureOf(adapter.write(batch, SIGNAL))).kind, "fatal");
  assert.equal((await failureOf(adapter.poll(0, undefined, 1, SIGNAL))).data?.reply, "WRONGTYPE");
});

redisTest("Redis: a user who may not write is told so for good", async () => {
  await using server = await startRedis();
  await server.run("ACL SETUSER reader on >word ~* +@read +@connection +info");
  await using adapter = await openAdapter(
    create(server.port, { user: "reader", password: "word" }),
  );
  assert.equal((await failureOf(adapter.write(batch, SIGNAL))).data?.reply, "NOPERM");
  assert.deepEqual((await adapter.poll(0, undefined, 1, SIGNAL)).events, []);
});

redisTest("Redis: wrong and missing passwords are fatal at once, and shown nowhere", async () => {
  await using server = await startRedis("--requirepass", "right");
  const secret = "ge@heim/1";
  const logged: unknown[] = [];
  const log = { warn: (...record: unknown[]) => void logged.push(record) };
  for (const written of [secret, encodeURIComponent(secret)]) {
    const url = `redis://:${written}@127.0.0.1:${server.port}/0`;
    const adapter = createRedisAdapter({ url }, { log });
    const failure = await failureOf(adapter.start());
    assert.equal(failure.kind, "fatal");
    assert.equal(failure.data?.reply, "WRONGPASS");
    const shown = [failure, failure.cause, failure.stack, failure.data, adapter, logged]
      .map((each) => Deno.inspect(each, { depth: 9, showHidden: true })).join("\n");
    assert.ok(!shown.includes("heim"), shown);
  }
  assert.equal((await failureOf(create(server.port).start())).data?.reply, "NOAUTH");
  const right = create(server.port, { password: "right" });
  await right.start();
  await right.write(batch, SIGNAL);
  await right.stop();
});
