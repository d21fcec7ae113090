/** NATS killed in the middle of a stream. */
import { createJetStreamAdapter } from "../../../../../src/log/bus/adapters/jetstream/mod.ts";
import { natsTest, startNats } from "../../engines/nats_server.ts";
import { assertComplete, streamThroughKills } from "../../engines/restarts.ts";

natsTest(
  "JetStream: 20,000 events are all there once, though the server is killed 5 times",
  async () => {
    await using server = await startNats();
    const options = { url: server.url, requestTimeoutMs: 500 };
    assertComplete(
      await streamThroughKills(server, (log) => createJetStreamAdapter(options, { log })),
    );
  },
);
