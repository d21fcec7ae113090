/** NATS killed in the middle of a stream. */
import { createJetStreamAdapter } from "../../../../../src/log/bus/adapters/jetstream/mod.ts";
import { openAdapter } from "../../engines/adapter_kit.ts";
import { natsTest, startNats } from "../../engines/nats_server.ts";
import { assertComplete, streamThroughKills } from "../../engines/restarts.ts";

natsTest(
  "JetStream: every event of 20,000 is there once, though the server is killed",
  async () => {
    await using server = await startNats();
    await using adapter = await openAdapter(
      createJetStreamAdapter({ url: server.url, requestTimeoutMs: 500 }, { log: { warn() {} } }),
    );
    const { shards, retries } = await streamThroughKills(server, adapter);
    assertComplete(shards);
    console.log(`JetStream: ${retries} batches tried again`);
  },
);
