import assert from "node:assert/strict";
import { doctorText } from "../../cmd/doctor.ts";
import { runInMemory, type RunOptions } from "./_harness.ts";

interface Check {
  readonly name: string;
  readonly status: string;
  readonly detail: string;
  readonly next?: string;
}

async function doctor(args: readonly string[], options: RunOptions = {}) {
  const { code, stdout } = await runInMemory(["doctor", "--json", ...args], options);
  const document: { schema: string; ok: boolean; checks: Check[] } = JSON.parse(stdout);
  const named = new Map(document.checks.map((check) => [check.name, check]));
  return { code, document, check: (name: string) => named.get(name) };
}

Deno.test("doctor looks at everything a node needs", async () => {
  const folder = await Deno.makeTempDir({ prefix: "net-doctor-" });
  try {
    await Deno.chmod(folder, 0o700);
    await Deno.writeTextFile(`${folder}/identity.key`, "x", { mode: 0o600 });
    const { document, check } = await doctor(["--data-dir", folder]);
    assert.equal(document.schema, "net.doctor.v1");
    assert.deepEqual([...document.checks.map((one) => one.name)], [
      "runtime",
      "ffi",
      "clock",
      "data folder",
      "keys",
      "disk",
      "socket folder",
      "udp",
      "socket buffers",
      "node",
      "blobs",
    ]);
    assert.equal(check("data folder")?.status, "ok");
    assert.equal(check("keys")?.detail, "1 files, private");
    assert.equal(check("node")?.status, "warn");
    for (const one of document.checks) {
      if (one.status === "fail") assert.ok(one.next, `${one.name} says what to do`);
    }
    assert.deepEqual([...Deno.readDirSync(folder)].map((entry) => entry.name), ["identity.key"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("doctor finds keys that others can read and folders that refuse files", async () => {
  const folder = await Deno.makeTempDir({ prefix: "net-doctor-" });
  try {
    await Deno.writeTextFile(`${folder}/mesh.psk`, "x");
    await Deno.chmod(`${folder}/mesh.psk`, 0o644);
    const open = await doctor(["--data-dir", folder]);
    assert.equal(open.code, 1);
    assert.equal(open.check("keys")?.next, `chmod 600 ${folder}/mesh.psk`);
    const refused = await doctor(["--data-dir", "/proc/net-data"]);
    assert.equal(refused.code, 1);
    assert.equal(refused.check("data folder")?.status, "fail");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("doctor asks the running node for its health", async () => {
  const node = {
    "health.liveness": { status: "healthy" },
    "health.readiness": { ready: true },
    "health.check": { status: "healthy", healthy: true, version: "0.1.0" },
  };
  const well = await doctor(["--socket", "/run/std/net.sock"], { node });
  assert.equal(well.check("node")?.status, "ok");
  const ill = await doctor(["--socket", "/run/std/net.sock"], {
    node: { ...node, "health.check": { status: "degraded", healthy: false } },
  });
  assert.equal(ill.check("node")?.status, "warn");
});

Deno.test("doctor says what the store of blobs lacks", async () => {
  const health = {
    used_bytes: 2_048,
    free_bytes: 1_024,
    full: false,
    missing_chunks: 0,
    damaged_blobs: [] as string[],
  };
  const look = async (changes: Partial<typeof health>) => {
    const node = { "blob.health": { ...health, ...changes } };
    return (await doctor(["--socket", "/run/std/net.sock"], { node })).check("blobs");
  };
  const well = await look({});
  assert.deepEqual([well?.status, well?.detail], ["ok", "2.0 KiB used, 1.0 KiB free"]);
  const full = await look({ full: true });
  assert.equal(full?.status, "warn");
  assert.match(full?.next ?? "", /net blob gc/);
  const damaged = await look({ missing_chunks: 2, damaged_blobs: ["b3:a"] });
  assert.equal(damaged?.status, "fail");
  assert.match(damaged?.detail ?? "", /2 chunks are missing, of b3:a$/);
});

Deno.test("doctorText() aligns outcomes and indents what to do", () => {
  assert.equal(
    doctorText([
      { name: "a", status: "ok", detail: "fine" },
      { name: "long", status: "fail", detail: "bad", next: "do it" },
    ]),
    "ok    a     fine\nfail  long  bad\n            next: do it",
  );
});
