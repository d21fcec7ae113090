/**
 * A node whose bus is kept by Redis or NATS: the server is killed and started again and again while events are
 * published from the command line and followed by another command, and nothing is lost.
 */
import assert from "node:assert/strict";
import { natsTest, startNats } from "../log/bus/engines/nats_server.ts";
import { redisTest, startRedis } from "../log/bus/engines/redis_server.ts";
import type { ServerProcess } from "../log/bus/engines/server_process.ts";
import { makeWorkspace } from "./harness.ts";
import { describe, spawnProgram } from "./program.ts";

const ROUNDS = 6;
const EVENTS_PER_ROUND = 300;
const EVENTS = ROUNDS * EVENTS_PER_ROUND;
const UP_MS = 400;
const DOWN_MS = 500;

redisTest("bus: Redis is restarted in the middle of a stream, and nothing is lost", async () => {
  await using server = await startRedis();
  await streamOverRestarts("redis", server, server.url);
});

natsTest("bus: NATS is restarted in the middle of a stream, and nothing is lost", async () => {
  await using server = await startNats();
  await streamOverRestarts("jetstream", server, server.url);
});

async function streamOverRestarts(engine: string, server: ServerProcess, url: string) {
  await using workspace = await makeWorkspace();
  const engineFlags = ["--bus", engine, "--bus-url", url, "--bus-shards", "2"];
  const node = await workspace.startNode({ flags: ["--udp", "127.0.0.1:0", ...engineFlags] });
  const { home } = node;
  const follower = spawnProgram(["bus", "poll", "--follow", "--limit", String(EVENTS)], {
    env: home.env,
    cwd: `${home.dir}/cwd`,
  });
  workspace.defer(async () => {
    follower.kill("SIGKILL");
    await follower.finished();
  });
  let isDone = false;
  const restarts = (async () => {
    let count = 0;
    for (; !isDone; count++) {
      await sleep(UP_MS);
      await server.kill();
      await sleep(DOWN_MS);
      await server.start();
    }
    return count;
  })();
  for (let round = 0; round < ROUNDS; round++) {
    const lines = Array.from(
      { length: EVENTS_PER_ROUND },
      (_, i) => JSON.stringify({ n: round * EVENTS_PER_ROUND + i }),
    );
    const published = await home.net(["bus", "publish", "-"], { stdin: lines.join("\n") });
    assert.equal(published.code, 0, describe(published));
  }
  isDone = true;
  assert.ok(await restarts >= 2, "the server was restarted in the middle");
  const stats = await home.json(["bus", "stats"]);
  assert.deepEqual([stats.ingested, stats.dispatched, stats.dropped], [EVENTS, EVENTS, 0]);
  assert.equal((await follower.finished()).code, 0, follower.stderr());
  const polled = await home.net(["bus", "poll", "--limit", String(2 * EVENTS)]);
  for (const text of [follower.stdout(), polled.stdout]) {
    const numbers = text.trimEnd().split("\n").map((line) => (JSON.parse(line) as { n: number }).n);
    const wanted = Array.from({ length: EVENTS }, (_, n) => n);
    assert.deepEqual(numbers.sort((left, right) => left - right), wanted);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
