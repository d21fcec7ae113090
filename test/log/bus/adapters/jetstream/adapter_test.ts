/** The JetStream adapter against a real server: the suite for all engines, and what is JetStream's own. */
import assert from "node:assert/strict";
import { connect } from "@nats-io/transport-node";
import { jetstreamManager } from "@nats-io/jetstream";
import {
  createJetStreamAdapter,
  type JetStreamAdapterOptions,
} from "../../../../../src/log/bus/adapters/jetstream/mod.ts";
import { batchOf, bytesOf, openAdapter, pollAll, SIGNAL } from "../../engines/adapter_kit.ts";
import { engineCompliance } from "../../engines/compliance.ts";
import { natsTest, startNats } from "../../engines/nats_server.ts";
import type { ServerProcess } from "../../engines/server_process.ts";

const create = ({ port }: ServerProcess, options: Partial<JetStreamAdapterOptions> = {}) =>
  createJetStreamAdapter({ url: `nats://127.0.0.1:${port}`, ...options }, { log: { warn() {} } });

engineCompliance({
  name: "JetStream",
  test: natsTest,
  startServer: () => startNats(),
  create: (server) => create(server, { requestTimeoutMs: 500 }),
  inject: async ({ port }, shard, data) => {
    const connection = await connect({ servers: `127.0.0.1:${port}` });
    await connection.request(`net.shard.${shard}`, data);
    await connection.close();
  },
});

natsTest("JetStream: streams are set up as the reference sets them up", async () => {
  await using server = await startNats();
  await using adapter = await openAdapter(create(server, { prefix: "own" }));
  await adapter.write(batchOf([bytesOf("1")], { shard: 3 }), SIGNAL);
  const connection = await connect({ servers: `127.0.0.1:${server.port}` });
  const { config } = await (await jetstreamManager(connection)).streams.info("own_shard_3");
  await connection.close();
  assert.deepEqual(config.subjects, ["own.shard.3"]);
  const { storage, discard, retention, allow_direct, num_replicas, duplicate_window } = config;
  assert.deepEqual({ storage, discard, retention, allow_direct, num_replicas, duplicate_window }, {
    storage: "file",
    discard: "old",
    retention: "limits",
    allow_direct: true,
    num_replicas: 1,
    duplicate_window: 3_600e9,
  });
});

natsTest(
  "JetStream: a batch written again is there once, and its holes are passed over",
  async () => {
    await using server = await startNats();
    await using adapter = await openAdapter(create(server));
    const batch = batchOf(Array.from({ length: 500 }, (_, i) => bytesOf(String(i))));
    await adapter.write(batch, SIGNAL);
    await adapter.write(batch, SIGNAL);
    assert.equal((await pollAll(adapter)).length, 500);
    const connection = await connect({ servers: `127.0.0.1:${server.port}` });
    const { streams } = await jetstreamManager(connection);
    for (let sequence = 2; sequence <= 200; sequence++) {
      await streams.deleteMessage("net_shard_0", sequence);
    }
    await connection.close();
    const { events, hasMore } = await adapter.poll(0, undefined, 3, SIGNAL);
    assert.deepEqual(events.map(({ id }) => id), ["1", "201", "202"]);
    assert.equal(hasMore, true);
  },
);

natsTest(
  "JetStream: a reader behind a bounded stream is told how many events it missed",
  async () => {
    await using server = await startNats();
    await using adapter = await openAdapter(create(server, { streamEventsMax: 10 }));
    const write = (count: number, sequenceStart: bigint) =>
      adapter.write(
        batchOf(Array.from({ length: count }, () => bytesOf("1")), { sequenceStart }),
        SIGNAL,
      );
    await write(5, 0n);
    const { nextId } = await adapter.poll(0, undefined, 3, SIGNAL);
    await write(20, 5n);
    const late = await adapter.poll(0, nextId, 100, SIGNAL);
    assert.equal(late.events.length, 10);
    assert.equal(late.missed, 12n);
    const connection = await connect({ servers: `127.0.0.1:${server.port}` });
    await (await jetstreamManager(connection)).streams.purge("net_shard_0");
    await connection.close();
    const purged = await adapter.poll(0, "20", 100, SIGNAL);
    assert.deepEqual(purged, { events: [], nextId: "25", hasMore: false, missed: 5n });
    assert.equal((await adapter.poll(0, "25", 100, SIGNAL)).missed, undefined);
  },
);
