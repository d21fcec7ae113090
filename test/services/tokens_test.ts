import assert from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import { raiseRevocationFloor } from "../../src/channel/mod.ts";
import { createMetricRegistry, silentLog } from "../../src/observe/mod.ts";
import { TokenService, type TokenServiceOptions } from "../../src/services/mod.ts";
import { ManualClock } from "../sim/manual_clock.ts";

const ISSUER = new Uint8Array(32).fill(1);

function inFolder(name: string, run: (path: string) => Promise<void>): void {
  Deno.test(name, async () => {
    const folder = await Deno.makeTempDir();
    try {
      await run(`${folder}/revocations.json`);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

function createService(options: TokenServiceOptions) {
  const clock = new ManualClock();
  const metrics = createMetricRegistry();
  const service = new TokenService({ clock, log: silentLog, metrics }, options);
  return { clock, metrics, service };
}

inFolder("TokenService reads the revocations before it is started", async (revocationFile) => {
  await raiseRevocationFloor(revocationFile, { issuer: ISSUER, floor: 3 });
  const { service, metrics } = createService({ revocationFile });
  await service.start();
  assert.equal(service.revocations.floor(ISSUER), 3);
  assert.ok(service.revocations.isRevoked(ISSUER, 2));
  assert.equal(metrics.snapshot().net_tokens_token_dropped_by_generation, 1);
  await service.stop();
});

inFolder("TokenService follows what others write into the file", async (revocationFile) => {
  const { service, clock } = createService({ revocationFile });
  await service.start();
  assert.equal(service.revocations.size, 0);
  await raiseRevocationFloor(revocationFile, { issuer: ISSUER, floor: 1 });
  await clock.advance(2_000);
  // Stopping waits for a look that was begun.
  await service.stop();
  assert.equal(service.revocations.floor(ISSUER), 1);
});

inFolder(
  "TokenService keeps its floors when the file breaks, and says so",
  async (revocationFile) => {
    await raiseRevocationFloor(revocationFile, { issuer: ISSUER, floor: 1 });
    const { service, clock } = createService({ revocationFile });
    await service.start();
    await Deno.writeTextFile(revocationFile, "{");
    await clock.advance(2_000);
    await service.stop();
    assert.equal(service.revocations.floor(ISSUER), 1);
    const { state, detail } = service.health();
    assert.equal(state, "degraded");
    assert.match(detail ?? "", /not_json/);
  },
);

inFolder("TokenService does not start without knowing who was revoked", async (revocationFile) => {
  await Deno.writeTextFile(revocationFile, "{");
  const { service } = createService({ revocationFile });
  await assert.rejects(service.start(), (error) => {
    return error instanceof NetError && error.code === "config_invalid";
  });
  await service.stop();
});

Deno.test("TokenService has no timers without a file and with sweeps switched off", async () => {
  const { service, clock } = createService({ revocationFile: undefined, sweepMs: "never" });
  clock.after = () => assert.fail("there is a timer");
  await service.start();
  assert.deepEqual(service.health(), { state: "healthy" });
  await service.stop();
});
