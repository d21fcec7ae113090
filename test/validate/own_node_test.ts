/** Our own control surface under every rule set, and how a report is shown. */
import { deepStrictEqual, equal, ok } from "node:assert/strict";
import {
  ipcExitCode,
  ipcReportDocument,
  renderIpcReport,
  RULE_SETS,
  validateIpc,
} from "../../src/validate/mod.ts";
import { startHarness } from "../control/harness.ts";
import { goodScript, startFakeMember } from "./fake_member.ts";

Deno.test("V13, V21: our node is compliant under all rules, by socket and port", async () => {
  await using harness = await startHarness({ tcp: { host: "127.0.0.1", port: 0 } });
  const { host, port } = harness.server.tcpAddress ?? { host: "", port: 0 };
  for (const endpoint of [harness.path, `${host}:${port}`]) {
    for (const rules of RULE_SETS) {
      const report = await validateIpc(endpoint, { rules, capabilities: true, expectName: "net" });
      const text = renderIpcReport(report, { useColor: false });
      ok(report.compliant && report.healthy, text);
      equal(ipcExitCode(report), 0);
      equal(report.capabilities?.level, 3, text);
      deepStrictEqual(report.capabilities?.notCallable, []);
      deepStrictEqual(report.capabilities?.unverified, []);
      deepStrictEqual([report.primal, report.version], ["net", "0.1.0"]);
    }
  }
  const { counters } = harness.server;
  equal(counters.errors_draining_total, 0);
});

Deno.test("V25: the document has the keys of the schema, with and without capabilities", async () => {
  await using harness = await startHarness();
  const report = await validateIpc(harness.path, { capabilities: true });
  const document = JSON.parse(JSON.stringify(ipcReportDocument(report)));
  deepStrictEqual(Object.keys(document), [
    "schema",
    "endpoint",
    "transport",
    "profile",
    "compliant",
    "healthy",
    "primal",
    "version",
    "started_at",
    "duration_ms",
    "results",
    "capabilities",
  ]);
  equal(document.schema, "net.validate.ipc.v1");
  equal(document.endpoint, `unix:${harness.path}`);
  equal(document.transport, "uds");
  deepStrictEqual(Object.keys(document.results[0]), [
    "method",
    "passed",
    "response_ms",
    "outcome",
    "error",
    "code",
    "missing",
    "warnings",
  ]);
  deepStrictEqual(document.capabilities.not_callable, []);
  ok(Number.isInteger(document.duration_ms) && document.started_at.endsWith("Z"));
});

Deno.test("renderIpcReport() has the reference's layout and cleans a stranger's text", async () => {
  await using member = await startFakeMember(goodScript({
    "health.liveness": '{"jsonrpc":"2.0","result":{"status":"ok"},"id":@}',
    "health.check":
      '{"jsonrpc":"2.0","error":{"code":-32050,"message":"\\u001b[31mred\\n\\u202e"},"id":@}',
  }));
  const report = await validateIpc(member.path, { deadlineMs: 2000 });
  const lines = renderIpcReport(report, { useColor: false }).replace(/\(\d+ms\)/g, "(0ms)").split(
    "\n",
  );
  deepStrictEqual(lines, [
    `IPC Compliance Report: unix:${member.path}`,
    "━".repeat(54),
    "  ✓ health.liveness (0ms)",
    '    ! status is "ok", the standard says "healthy"',
    "  ✓ health.readiness (0ms)",
    "  ✗ health.check (0ms)",
    "    → error -32050: \u{fffd}[31mred\u{fffd}\u{fffd} [rpc_error]",
    "",
    "Result: NON-COMPLIANT",
    "",
  ]);
  ok(renderIpcReport(report, { useColor: true }).includes("\x1b[31m✗\x1b[0m"));
});
