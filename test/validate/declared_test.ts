/** A member against its metadata, in both directions. */
import { deepStrictEqual, equal, ok } from "node:assert/strict";
import { parseMetadata } from "../../src/deploy/mod.ts";
import {
  ipcReportDocument,
  renderIpcReport,
  validateIpc,
  validateMetadata,
} from "../../src/validate/mod.ts";
import { goodReply, goodScript } from "./members/good.ts";
import { startFakeMember, startMember } from "./members/member.ts";

/** Metadata of the good member, which has `storage.put` beside what the contract asks. */
function metadataOf(capabilities: readonly string[], more: string = "") {
  const text = `[primal]\nname = "fake"\nversion = "1.0"\n[compatibility]\ncapabilities = ${
    JSON.stringify(capabilities)
  }\n${more}`;
  return parseMetadata(text, "metadata.toml");
}

Deno.test("V30: a declared capability that the member does not advertise is named", async () => {
  await using member = await startFakeMember(goodScript);
  const metadata = metadataOf(["storage.put", "storage.gone", "crypto"]);
  const report = await validateIpc(member.path, { metadata });
  equal(report.compliant, false);
  deepStrictEqual(ipcReportDocument(report).metadata, {
    declared: 3,
    not_advertised: ["storage.gone", "crypto"],
    not_declared: [],
    warnings: [],
  });
  const text = renderIpcReport(report, { useColor: false });
  ok(text.includes("  ✗ metadata: 3 capabilities declared\n"), text);
  ok(text.includes("    → declared, not advertised: storage.gone, crypto\n"), text);
  ok(text.endsWith("Result: NON-COMPLIANT\n"));
});

Deno.test("V-m: declared and missing fails, advertised and not declared warns", async () => {
  await using member = await startFakeMember(goodScript);
  const judge = async (capabilities: readonly string[]) => {
    const report = await validateIpc(member.path, { metadata: metadataOf(capabilities) });
    const { notAdvertised, notDeclared } = report.declared ?? {};
    return { compliant: report.compliant, notAdvertised, notDeclared };
  };
  deepStrictEqual(await judge(["storage.put"]), {
    compliant: true,
    notAdvertised: [],
    notDeclared: [],
  });
  deepStrictEqual(await judge(["storage"]), {
    compliant: true,
    notAdvertised: [],
    notDeclared: [],
  });
  deepStrictEqual(await judge(["health.check"]), {
    compliant: true,
    notAdvertised: [],
    notDeclared: ["storage.put"],
  });
  deepStrictEqual(await judge(["mesh.send"]), {
    compliant: false,
    notAdvertised: ["mesh.send"],
    notDeclared: ["storage.put"],
  });
});

Deno.test("V-m: a member without a list advertises nothing of what is declared", async () => {
  await using member = await startFakeMember(({ line, method }) =>
    method?.startsWith("capabilit") ? undefined : goodReply(line)
  );
  const report = await validateIpc(member.path, {
    metadata: metadataOf(["storage.put"]),
    replyTimeoutMs: 100,
  });
  deepStrictEqual([report.compliant, report.declared?.notAdvertised], [false, ["storage.put"]]);
});

Deno.test("validateIpc() holds a member to the name of its metadata and warns of the version", async () => {
  await using member = await startFakeMember(goodScript);
  const other = parseMetadata('[primal]\nname = "net"\nversion = "2.0"\n', "metadata.toml");
  const report = await validateIpc(member.path, { metadata: other });
  equal(report.results[1]?.outcome, "identity_mismatch");
  deepStrictEqual(report.declared?.warnings, [
    'the member has version "1.0", its metadata "2.0"',
    "the metadata declares no capabilities",
  ]);
});

Deno.test("validateIpc() probes the socket of a member whose port speaks something else", async () => {
  const folder = await Deno.makeTempDir();
  await using web = await startMember({ script: () => "HTTP/1.1 400 Bad Request\r" }, "tcp");
  const metadata = metadataOf(["storage"], '[genomeBin.server]\ntcp_protocol = "http"\n');
  const env = { BIOMEOS_SOCKET_DIR: folder };
  const alone = await validateIpc(web.endpoint, { metadata, env });
  equal(alone.compliant, false);
  deepStrictEqual(alone.declared?.warnings, [
    `${web.endpoint} speaks http and cannot answer the health methods; ` +
    "the member has no unix socket either",
  ]);
  await using member = await startFakeMember(goodScript);
  await Deno.symlink(member.path, `${folder}/fake.sock`);
  const report = await validateIpc(web.endpoint, { metadata, env });
  deepStrictEqual([report.compliant, report.transport], [true, "uds"]);
  deepStrictEqual(report.declared?.warnings, [
    `${web.endpoint} speaks http and cannot answer the health methods; its unix socket was probed`,
  ]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("validateMetadata() compares a file with a running member", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/metadata.toml`;
  await using member = await startFakeMember(goodScript);
  const verdict = async (capability: string) => {
    await Deno.writeTextFile(
      path,
      `[primal]\nname = "fake"\nversion = "1.0.0"\n[compatibility]\ncapabilities = ["${capability}"]\n`,
    );
    const report = await validateMetadata(path, { endpoint: member.path });
    return [report.valid, report.compliant];
  };
  deepStrictEqual(await verdict("storage.put"), [true, true]);
  deepStrictEqual(await verdict("storage.gone"), [true, false]);
  deepStrictEqual(await verdict("Storage"), [false, false]);
  await Deno.remove(folder, { recursive: true });
});
