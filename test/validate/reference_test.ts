/**
 * The reference's rules against what the reference itself said.
 *
 * `fixtures/reference_replies.json` holds replies of our own making and the verdict of benchScale's
 * validator about each: syntheticChemistry/benchScale, `src/validation/ipc_compliance.rs` at commit
 * 98b2695f, built unmodified with serde_json 1 and tokio 1, timeouts of 1 s and 3 s.
 */
import { deepStrictEqual, equal } from "node:assert/strict";
import { renderIpcReport, validateIpc } from "../../src/validate/mod.ts";
import replies from "./fixtures/reference_replies.json" with { type: "json" };
import { startMember } from "./members/member.ts";

/** One recorded verdict. */
interface Recorded {
  readonly name: string;
  /** The line, or its bytes in `hex`. */
  readonly reply?: string;
  readonly hex?: string;
  /** True where the connection is closed instead of a newline being sent. */
  readonly isClosing?: boolean;
  readonly passed: boolean;
  /** The error up to its first colon, where details of a parser follow. */
  readonly error: string | null;
}

Deno.test("V27: the reference rules judge replies as the reference did", async (t) => {
  for (const recorded of replies as readonly Recorded[]) {
    await t.step(recorded.name, async () => {
      const bytes = recorded.hex === undefined
        ? new TextEncoder().encode(recorded.reply)
        : Uint8Array.fromHex(recorded.hex);
      await using member = await startMember({
        script: async ({ send, close }) => {
          await send(bytes);
          if (recorded.isClosing) close();
          else await send("\n");
          return undefined;
        },
      }, "tcp");
      const report = await validateIpc(member.endpoint, { rules: "reference", deadlineMs: 10_000 });
      deepStrictEqual(
        report.results.map(({ passed, error }) => ({
          passed,
          error: error?.replace(/^(invalid JSON|read error): .*$/, "$1") ?? null,
        })),
        Array(3).fill({ passed: recorded.passed, error: recorded.error }),
      );
    });
  }
});

Deno.test("V27: result null passes, error null fails, a wrong id passes, under reference", async () => {
  const isCompliant = async (reply: string, rules: "reference" | "standard") => {
    await using member = await startMember({ script: () => reply });
    return (await validateIpc(member.endpoint, { rules, deadlineMs: 10_000 })).compliant;
  };
  const resultNull = '{"jsonrpc":"2.0","result":null,"id":1}';
  equal(await isCompliant(resultNull, "reference"), true);
  equal(await isCompliant(resultNull, "standard"), false);
  const errorNull = '{"jsonrpc":"2.0","result":{},"error":null,"id":1}';
  equal(await isCompliant(errorNull, "reference"), false);
  const wrongId = '{"jsonrpc":"2.0","result":{"status":"ok","version":"1","primal":"x"},"id":9}';
  equal(await isCompliant(wrongId, "reference"), true);
  equal(await isCompliant(wrongId, "standard"), true);
});

Deno.test("V27: a report under reference has the reference's layout", async () => {
  await using member = await startMember({
    script: ({ method }) =>
      method === "health.check"
        ? '{"jsonrpc":"2.0","error":{"code":-32601,"message":"no"},"id":1}'
        : '{"jsonrpc":"2.0","result":true,"id":1}',
  }, "tcp");
  const report = await validateIpc(member.endpoint, { rules: "reference", deadlineMs: 10_000 });
  const text = renderIpcReport(report, { useColor: false });
  deepStrictEqual(text.replace(/\(\d+ms\)/g, "(0ms)").split("\n"), [
    `IPC Compliance Report: ${member.endpoint}`,
    "━".repeat(54),
    "  ✓ health.liveness (0ms)",
    "  ✓ health.readiness (0ms)",
    "  ✗ health.check (0ms)",
    "    → response missing valid result field",
    "",
    "Result: NON-COMPLIANT",
    "",
  ]);
  deepStrictEqual(member.asked, ["health.liveness", "health.readiness", "health.check"]);
  equal(member.connections, 3, "one connection for each method");
});

Deno.test("V27: the reference gives each method its full time", async () => {
  // 3 × (5 s + 10 s) are not waited for here: each reply has its own limit, nothing is shared.
  await using member = await startMember({ script: () => undefined });
  const report = await validateIpc(member.endpoint, {
    rules: "reference",
    replyTimeoutMs: 120,
    deadlineMs: 10_000,
  });
  deepStrictEqual(report.results.map(({ error }) => error), Array(3).fill("response timeout"));
  equal(report.results.every(({ responseMs }) => responseMs >= 119), true);
});
