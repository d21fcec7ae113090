import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import {
  createIdentityFile,
  encodeIdentityState,
  listNamedIdentities,
  loadKeys,
  parseIdentityExport,
  readIdentityFile,
  replaceIdentityFile,
} from "../../../src/core/crypto/mod.ts";

const SEED = new Uint8Array(32).fill(0xab);
const FIRST = { seed: SEED, issuerGeneration: 0 };
const RAISED = { seed: SEED, issuerGeneration: 7 };

function inFolder(name: string, run: (folder: string) => Promise<void>): void {
  Deno.test(name, async () => {
    const folder = await Deno.makeTempDir();
    try {
      await run(folder);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

inFolder(
  "createIdentityFile() makes an owner-only file and leaves another alone",
  async (folder) => {
    const path = `${folder}/new/ada.key`;
    assert.equal(await readIdentityFile(path), undefined);
    assert.ok(await createIdentityFile(path, FIRST));
    assert.ok(!await createIdentityFile(path, RAISED));
    assert.deepEqual(await readIdentityFile(path), { state: FIRST, warnings: [] });
    assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
    assert.equal(await Deno.readTextFile(path), `${"ab".repeat(32)}\n`);
  },
);

inFolder("replaceIdentityFile() writes a raised generation as state", async (folder) => {
  const path = `${folder}/ada.key`;
  await createIdentityFile(path, FIRST);
  await replaceIdentityFile(path, RAISED);
  assert.deepEqual(await readIdentityFile(path), { state: RAISED, warnings: [] });
  assert.equal(await Deno.readTextFile(path), `01${"ab".repeat(32)}07000000\n`);
  assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
});

inFolder("loadKeys() finds an identity with its generation", async (folder) => {
  await createIdentityFile(`${folder}/identity.key`, RAISED);
  const { identity, identitySeed, created } = await loadKeys(folder);
  assert.deepEqual(identitySeed, SEED);
  assert.equal(identity.issuerGeneration, 7);
  assert.deepEqual(created, ["noise.key", "mesh.psk"]);
});

inFolder(
  "readIdentityFile() refuses damage and newer versions without showing them",
  async (folder) => {
    const path = `${folder}/ada.key`;
    const newer = encodeIdentityState(RAISED);
    newer[0] = 2;
    for (const text of ["", "ab".repeat(31), "ab".repeat(36), "zz".repeat(32), newer.toHex()]) {
      await Deno.writeTextFile(path, text, { mode: 0o600 });
      await assert.rejects(readIdentityFile(path), (error) => {
        return error instanceof NetError && error.code === "config_invalid" &&
          !error.message.includes("abab");
      });
    }
  },
);

inFolder("readIdentityFile() restricts a file that others can read and warns", async (folder) => {
  const path = `${folder}/ada.key`;
  await createIdentityFile(path, FIRST);
  await Deno.chmod(path, 0o644);
  assert.equal((await readIdentityFile(path))?.warnings.length, 1);
  assert.equal((await readIdentityFile(path))?.warnings.length, 0);
});

inFolder("listNamedIdentities() lists names in order and nothing else", async (folder) => {
  assert.deepEqual(await listNamedIdentities(`${folder}/none`), []);
  for (const name of ["zoe", "ada"]) {
    await createIdentityFile(`${folder}/${name}.key`, FIRST);
  }
  for (const name of ["notes.txt", "-x.key", ".key"]) {
    await Deno.writeTextFile(`${folder}/${name}`, "");
  }
  await Deno.mkdir(`${folder}/folder.key`);
  assert.deepEqual(await listNamedIdentities(folder), ["ada", "zoe"]);
});

Deno.test("parseIdentityExport() takes every form an identity is exported in", () => {
  const state = encodeIdentityState(RAISED);
  const text = (hex: string) => new TextEncoder().encode(hex);
  assert.deepEqual(parseIdentityExport(SEED), FIRST);
  assert.deepEqual(parseIdentityExport(state), RAISED);
  assert.deepEqual(parseIdentityExport(text(`  ${SEED.toHex().toUpperCase()}\r\n`)), FIRST);
  assert.deepEqual(parseIdentityExport(text(state.toHex())), RAISED);
  for (const bytes of [new Uint8Array(0), new Uint8Array(37), new Uint8Array(33), text("ab")]) {
    assert.equal(parseIdentityExport(bytes), undefined);
  }
});
