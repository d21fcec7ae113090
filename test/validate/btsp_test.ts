/** Members that are probed over BTSP, and members that refuse it or do not know it. */
import { deepStrictEqual, equal, ok } from "node:assert/strict";
import { utf8 } from "../../src/base/mod.ts";
import { validateIpc } from "../../src/validate/mod.ts";
import { startHarness } from "../control/harness.ts";
import { goodScript } from "./members/good.ts";
import { startMember } from "./members/member.ts";

const SEED = utf8("a family's seed, known to its members");

Deno.test("V-l: the triad is asked for over BTSP, under all rules, by socket and port", async () => {
  await using harness = await startHarness({
    tcp: { host: "127.0.0.1", port: 0 },
    btsp: { readSeed: () => Promise.resolve(SEED), isRequired: true },
  });
  const { host, port } = harness.server.tcpAddress ?? { host: "", port: 0 };
  for (const endpoint of [harness.path, `${host}:${port}`]) {
    for (const rules of ["reference", "standard", "strict"] as const) {
      const report = await validateIpc(endpoint, { rules, familySeed: SEED });
      equal(report.compliant, true, JSON.stringify(report));
    }
    const clear = await validateIpc(endpoint);
    deepStrictEqual(clear.results.map(({ outcome }) => outcome), Array(3).fill("btsp_required"));
  }
});

Deno.test("validateIpc() says why a member cannot be probed over BTSP", async () => {
  await using harness = await startHarness({
    btsp: { readSeed: () => Promise.resolve(SEED), isRequired: true },
  });
  const stranger = await validateIpc(harness.path, { familySeed: utf8("another family's seed") });
  deepStrictEqual(stranger.results.map(({ outcome }) => outcome), Array(3).fill("btsp_required"));
  equal(
    stranger.results[0]?.error,
    "Cannot open BTSP session: the node refused: family_verification",
  );

  await using plain = await startMember({ script: goodScript });
  const withoutBtsp = await validateIpc(plain.endpoint, {
    familySeed: SEED,
    connectTimeoutMs: 300,
  });
  equal(withoutBtsp.compliant, false);
  await using http = await startMember({
    onConnect: ({ send }) => send("HTTP/1.1 400 Bad\r\n\r\n"),
  });
  const web = await validateIpc(http.endpoint, { familySeed: SEED });
  equal(web.results[0]?.error, "Cannot open BTSP session: the member does not speak it");

  await using silent = await startMember({ script: () => undefined });
  const startMs = performance.now();
  const report = await validateIpc(silent.endpoint, { familySeed: SEED, deadlineMs: 600 });
  deepStrictEqual(report.results.map(({ outcome }) => outcome), Array(3).fill("response_timeout"));
  ok(performance.now() - startMs < 2500);
});
