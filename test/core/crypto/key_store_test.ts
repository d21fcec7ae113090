import assert from "node:assert/strict";
import {
  createRamKeys,
  KEY_FILES,
  loadKeys,
  readPskFile,
  replaceMeshSecret,
} from "../../../src/core/crypto/mod.ts";
import { type ErrorCode, NetError } from "../../../src/base/mod.ts";

const SECRET = "0123456789abcdef".repeat(4);

/** Runs a test in a folder of its own. */
function inFolder(name: string, run: (folder: string) => Promise<void>): void {
  Deno.test(name, async () => {
    const folder = await Deno.makeTempDir({ prefix: "net_keys_" });
    try {
      await run(folder);
    } finally {
      await Deno.chmod(folder, 0o700);
      await Deno.remove(folder, { recursive: true });
    }
  });
}

/** Expects an error with this code and a next line that shows nothing of the secret. */
async function rejects(run: () => Promise<unknown>, code: ErrorCode, pattern = /./): Promise<void> {
  await assert.rejects(run, (error) => {
    assert.ok(error instanceof NetError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, pattern);
    assert.ok(error.next);
    assert.ok(!`${error.message} ${error.next} ${error.cause}`.includes("cdef0123"));
    return true;
  });
}

inFolder("loadKeys() makes three owner-only files and finds them again", async (folder) => {
  const path = `${folder}/new/data`;
  const first = await loadKeys(path);
  assert.deepEqual([...first.created].sort(), Object.values(KEY_FILES).sort());
  assert.deepEqual(first.warnings, []);
  assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o700);
  const names: string[] = [];
  for await (const entry of Deno.readDir(path)) names.push(entry.name);
  assert.deepEqual(names.sort(), Object.values(KEY_FILES).sort());
  for (const name of names) {
    assert.equal(((await Deno.stat(`${path}/${name}`)).mode ?? 0) & 0o777, 0o600);
    assert.match(await Deno.readTextFile(`${path}/${name}`), /^[0-9a-f]{64}\n$/);
  }
  const second = await loadKeys(path);
  assert.deepEqual(second.created, []);
  assert.deepEqual(second.identity.entityId, first.identity.entityId);
  assert.deepEqual(second.noise.publicKey, first.noise.publicKey);
  assert.deepEqual(second.meshSecret, first.meshSecret);
});

inFolder("loadKeys() called twice at once ends with one set of keys", async (folder) => {
  const loaded = await Promise.all([loadKeys(folder), loadKeys(folder), loadKeys(folder)]);
  const stored = await loadKeys(folder);
  for (const keys of loaded) {
    assert.deepEqual(keys.identitySeed, stored.identitySeed);
    assert.deepEqual(keys.noise.privateKey, stored.noise.privateKey);
    assert.deepEqual(keys.meshSecret, stored.meshSecret);
  }
  assert.equal(loaded.flatMap((keys) => keys.created).length, 3);
});

inFolder("loadKeys() takes keys from the random source it is given", async (folder) => {
  let next = 0;
  const random = (length: number) => new Uint8Array(length).fill(++next);
  const keys = await loadKeys(folder, { random });
  assert.deepEqual(keys.identitySeed, new Uint8Array(32).fill(1));
  assert.deepEqual(keys.noise.privateKey, new Uint8Array(32).fill(2));
  assert.deepEqual(keys.meshSecret, new Uint8Array(32).fill(3));
});

inFolder("loadKeys() accepts hand-edited white space and upper case", async (folder) => {
  await Deno.writeTextFile(`${folder}/mesh.psk`, ` ${SECRET.toUpperCase()}\r\n`, { mode: 0o600 });
  assert.equal((await loadKeys(folder)).meshSecret.toHex(), SECRET);
});

inFolder("loadKeys() refuses damaged key files and leaves them alone", async (folder) => {
  const path = `${folder}/${KEY_FILES.identity}`;
  const damaged = ["", SECRET.slice(1), `${SECRET}00`, `${SECRET}\n${SECRET}`, "z".repeat(64)];
  for (const content of [...damaged, SECRET.repeat(1000)]) {
    await Deno.writeTextFile(path, content, { mode: 0o600 });
    await rejects(() => loadKeys(folder), "config_invalid", /identity\.key/);
    assert.equal(await Deno.readTextFile(path), content);
  }
});

inFolder("loadKeys() restricts a key that others can read and warns", async (folder) => {
  await loadKeys(folder);
  await Deno.chmod(`${folder}/noise.key`, 0o644);
  const { warnings } = await loadKeys(folder);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? "", /noise\.key/);
  assert.equal(((await Deno.stat(`${folder}/noise.key`)).mode ?? 0) & 0o777, 0o600);
  assert.deepEqual((await loadKeys(folder)).warnings, []);
});

inFolder("loadKeys() warns of a node id that hides its pingwaves", async (folder) => {
  const seed = new Uint8Array(32);
  new DataView(seed.buffer).setUint32(0, 1791, true);
  await Deno.writeTextFile(`${folder}/identity.key`, seed.toHex(), { mode: 0o600 });
  assert.match((await loadKeys(folder)).warnings.join(), /4e45/);
});

inFolder("loadKeys() says when the folder is a file or lies below one", async (folder) => {
  await Deno.writeTextFile(`${folder}/file`, "");
  await rejects(() => loadKeys(`${folder}/file`), "data_dir_unusable");
  await rejects(() => loadKeys(`${folder}/file/below`), "data_dir_unusable");
});

inFolder("loadKeys() says when a key file is a folder", async (folder) => {
  await Deno.mkdir(`${folder}/mesh.psk`);
  await rejects(() => loadKeys(folder), "data_dir_unusable", /mesh\.psk/);
});

inFolder("replaceMeshSecret() replaces it for the next load and keeps the rest", async (folder) => {
  const before = await loadKeys(folder);
  await replaceMeshSecret(folder, Uint8Array.fromHex(SECRET));
  const after = await loadKeys(folder);
  assert.equal(after.meshSecret.toHex(), SECRET);
  assert.deepEqual(after.identitySeed, before.identitySeed);
  assert.deepEqual(after.warnings, []);
  await assert.rejects(() => replaceMeshSecret(folder, new Uint8Array(31)), RangeError);
});

inFolder("readPskFile() takes hex digits or raw bytes", async (folder) => {
  const path = `${folder}/secret`;
  for (const text of [SECRET, `${SECRET}\n`, `\t${SECRET.toUpperCase()} \r\n`]) {
    await Deno.writeTextFile(path, text);
    assert.equal((await readPskFile(path)).toHex(), SECRET);
  }
  const raw = Uint8Array.fromHex(SECRET);
  await Deno.writeFile(path, raw);
  assert.deepEqual(await readPskFile(path), raw);
});

inFolder("readPskFile() refuses everything else without showing it", async (folder) => {
  const path = `${folder}/secret`;
  for (const text of ["", SECRET.slice(2), `${SECRET}ab`, `0x${SECRET}`, SECRET.repeat(99)]) {
    await Deno.writeTextFile(path, text);
    await rejects(() => readPskFile(path), "config_invalid");
  }
  await rejects(() => readPskFile(`${folder}/absent`), "not_found", /absent/);
});

Deno.test("createRamKeys() makes keys from the random source and no file", () => {
  let next = 0;
  const keys = createRamKeys((length) => new Uint8Array(length).fill(++next));
  assert.equal(keys.identitySeed.length, 32);
  assert.equal(keys.noise.publicKey.length, 32);
  assert.equal(keys.meshSecret.length, 32);
  assert.deepEqual(keys.created, []);
  assert.notDeepEqual(createRamKeys().meshSecret, createRamKeys().meshSecret);
});

inFolder("loadKeys() takes a given identity into an empty folder", async (folder) => {
  const identity = { seed: new Uint8Array(32).fill(0x21), issuerGeneration: 7 };
  const first = await loadKeys(folder, { identity });
  assert.deepEqual(first.identitySeed, identity.seed);
  assert.equal(first.identity.issuerGeneration, 7);
  const later = await loadKeys(folder);
  assert.deepEqual([later.identitySeed, later.identity.issuerGeneration], [identity.seed, 7]);
  const lower = await loadKeys(folder, { identity: { ...identity, issuerGeneration: 2 } });
  assert.equal(lower.identity.issuerGeneration, 7);
});

inFolder("loadKeys() refuses two identities", async (folder) => {
  const own = await loadKeys(folder);
  const identity = { seed: new Uint8Array(32).fill(0x21), issuerGeneration: 0 };
  await rejects(() => loadKeys(folder, { identity }), "config_invalid", /two identities are given/);
  assert.deepEqual((await loadKeys(folder)).identitySeed, own.identitySeed);
});

Deno.test("createRamKeys() runs as a given identity", () => {
  const identity = { seed: new Uint8Array(32).fill(0x21), issuerGeneration: 7 };
  const keys = createRamKeys(undefined, { identity });
  assert.deepEqual([keys.identitySeed, keys.identity.issuerGeneration], [identity.seed, 7]);
});
