import assert from "node:assert/strict";
import { type ErrorCode, NetError } from "../../src/base/mod.ts";
import { createRamKeys, KEY_FILES, loadKeys, type Ticket } from "../../src/core/crypto/mod.ts";
import { createLog, silentLog } from "../../src/observe/mod.ts";
import { chooseMeshSecret, type ChooseMeshSecretOptions } from "../../src/services/mesh_secret.ts";

const OTHER = new Uint8Array(32).fill(0xab);
const keys = createRamKeys();

function ticketWith(meshSecret: Uint8Array): Ticket {
  return {
    expiresAtSeconds: 0,
    entityId: new Uint8Array(32),
    noisePublicKey: new Uint8Array(32),
    meshSecret,
    addresses: [{ host: "192.0.2.1", port: 1 }],
    label: "",
  };
}

function choose(options: Partial<ChooseMeshSecretOptions>): Promise<Uint8Array> {
  return chooseMeshSecret({
    keys,
    folder: undefined,
    ticket: undefined,
    pskFile: undefined,
    hasPeers: false,
    log: silentLog,
    ...options,
  });
}

function failsWith(code: ErrorCode) {
  return (error: unknown) =>
    error instanceof NetError && error.code === code && error.next !== undefined &&
    !error.message.includes("abab");
}

function inFolder(name: string, run: (folder: string) => Promise<void>): void {
  Deno.test(name, async () => {
    const folder = await Deno.makeTempDir({ prefix: "net_secret_" });
    try {
      await run(folder);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("chooseMeshSecret() keeps the node's own without a ticket, or with one for it", async () => {
  assert.equal(await choose({}), keys.meshSecret);
  assert.equal(await choose({ hasPeers: true }), keys.meshSecret);
  const ticket = ticketWith(keys.meshSecret.slice());
  assert.equal(await choose({ ticket, hasPeers: true }), keys.meshSecret);
});

Deno.test("chooseMeshSecret() takes the ticket's for a node in no mesh", async () => {
  assert.deepEqual(await choose({ ticket: ticketWith(OTHER) }), OTHER);
});

Deno.test("chooseMeshSecret() does not leave a mesh in use", async () => {
  await assert.rejects(
    choose({ ticket: ticketWith(OTHER), hasPeers: true }),
    failsWith("conflict"),
  );
});

inFolder("chooseMeshSecret() uses a secret file for this run only", async (folder) => {
  const own = await loadKeys(folder);
  const pskFile = `${folder}/other.psk`;
  await Deno.writeTextFile(pskFile, OTHER.toHex(), { mode: 0o600 });
  assert.deepEqual(await choose({ keys: own, folder, pskFile, hasPeers: true }), OTHER);
  assert.deepEqual((await loadKeys(folder)).meshSecret, own.meshSecret);
  const same = ticketWith(OTHER);
  assert.deepEqual(await choose({ keys: own, folder, pskFile, ticket: same }), OTHER);
  const different = ticketWith(own.meshSecret);
  await assert.rejects(
    choose({ keys: own, folder, pskFile, ticket: different }),
    failsWith("conflict"),
  );
  await assert.rejects(choose({ pskFile: `${folder}/missing` }), NetError);
});

inFolder("chooseMeshSecret() keeps the ticket's secret and the one before", async (folder) => {
  await loadKeys(folder);
  const own = await loadKeys(folder);
  const before = await Deno.readTextFile(`${folder}/${KEY_FILES.meshSecret}`);
  const lines: string[] = [];
  const log = createLog({ level: "warn", format: "text", write: (line) => lines.push(line) });
  const chosen = await choose({ keys: own, folder, ticket: ticketWith(OTHER), log });
  assert.deepEqual(chosen, OTHER);
  assert.deepEqual((await loadKeys(folder)).meshSecret, OTHER);
  const kept = `${folder}/${KEY_FILES.meshSecret}.old`;
  assert.equal(await Deno.readTextFile(kept), before);
  assert.equal(((await Deno.stat(kept)).mode ?? 0) & 0o777, 0o600);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /mesh_secret_replaced/);
  assert.ok(!lines.join().includes(OTHER.toHex()) && !lines.join().includes(before.trim()));
});

inFolder("chooseMeshSecret() keeps no secret that was made a moment ago", async (folder) => {
  const fresh = await loadKeys(folder);
  assert.deepEqual(await choose({ keys: fresh, folder, ticket: ticketWith(OTHER) }), OTHER);
  assert.deepEqual((await loadKeys(folder)).meshSecret, OTHER);
  await assert.rejects(Deno.stat(`${folder}/${KEY_FILES.meshSecret}.old`), Deno.errors.NotFound);
});
