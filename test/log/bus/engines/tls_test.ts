/** Both engines over TLS. */
import assert from "node:assert/strict";
import { createJetStreamAdapter, createRedisAdapter } from "../../../../src/log/bus/mod.ts";
import type { BusAdapter } from "../../../../src/log/bus/mod.ts";
import { batchOf, bytesOf, failureOf, pollAll, SIGNAL } from "./adapter_kit.ts";
import { hasOpenSsl, makeCertificates } from "./certificates.ts";
import { natsTest, startNats } from "./nats_server.ts";
import { freePort } from "./server_process.ts";
import { redisTest, startRedis } from "./redis_server.ts";

const DEPS = { log: { warn() {} } };

redisTest("Redis over TLS: the server's certificate is checked", async () => {
  if (!hasOpenSsl()) return console.log("left out: there is no openssl");
  await using files = await makeCertificates();
  const port = freePort();
  await using _server = await startRedis(
    ...["--tls-port", String(port), "--tls-auth-clients", "no"],
    ...["--tls-cert-file", files.certFile, "--tls-key-file", files.keyFile],
    ...["--tls-ca-cert-file", files.caFile],
  );
  const url = `rediss://127.0.0.1:${port}`;
  await assertWorks(createRedisAdapter({ url, tlsCa: files.ca }, DEPS));
  assert.equal((await failureOf(createRedisAdapter({ url }, DEPS).start())).kind, "fatal");
});

natsTest("JetStream over TLS: the server's certificate is checked", async () => {
  if (!hasOpenSsl()) return console.log("left out: there is no openssl");
  await using files = await makeCertificates();
  const config = `tls { cert_file: "${files.certFile}", key_file: "${files.keyFile}" }`;
  await using server = await startNats({ config });
  const url = `tls://127.0.0.1:${server.port}`;
  await assertWorks(createJetStreamAdapter({ url, tlsCa: files.ca }, DEPS));
  assert.equal((await failureOf(createJetStreamAdapter({ url }, DEPS).start())).kind, "fatal");
});

async function assertWorks(adapter: BusAdapter): Promise<void> {
  await adapter.start();
  await adapter.write(batchOf([bytesOf("1")]), SIGNAL);
  assert.equal((await pollAll(adapter)).length, 1);
  assert.equal(await adapter.isHealthy(SIGNAL), true);
  await adapter.stop();
}
