import assert from "node:assert/strict";
import { NetError } from "../../../src/base/mod.ts";
import {
  formatRevocationList,
  raiseRevocationFloor,
  readRevocationFile,
} from "../../../src/channel/mod.ts";
import { MACHINE, OWNER } from "./tokens.ts";

function inFolder(name: string, run: (path: string) => Promise<void>): void {
  Deno.test(name, async () => {
    const folder = await Deno.makeTempDir();
    try {
      await run(`${folder}/net-mesh/revocations.json`);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

inFolder("readRevocationFile() finds no floors where there is no file", async (path) => {
  assert.deepEqual(await readRevocationFile(path), []);
});

inFolder(
  "raiseRevocationFloor() makes the file, for its owner only, and raises floors",
  async (path) => {
    const owner = (floor: number) => raiseRevocationFloor(path, { issuer: OWNER.entityId, floor });
    assert.equal(await owner(5), 5);
    assert.equal(await owner(2), 5);
    assert.equal(await raiseRevocationFloor(path, { issuer: MACHINE.entityId, floor: 1 }), 1);
    assert.equal(await owner(6), 6);
    const floors = await readRevocationFile(path);
    assert.equal(await Deno.readTextFile(path), formatRevocationList(floors));
    assert.deepEqual(
      Object.fromEntries(floors.map(({ issuer, floor }) => [issuer.toHex(), floor])),
      { [OWNER.entityId.toHex()]: 6, [MACHINE.entityId.toHex()]: 1 },
    );
    const { mode } = await Deno.stat(path);
    assert.equal((mode ?? 0) & 0o777, 0o600);
    const names = [...Deno.readDirSync(path.slice(0, path.lastIndexOf("/")))].map(({ name }) =>
      name
    );
    assert.deepEqual(names.sort(), ["revocations.json", "revocations.json.lock"]);
  },
);

inFolder("raiseRevocationFloor() loses nothing when many write at once", async (path) => {
  const issuers = Array.from({ length: 8 }, (_, i) => new Uint8Array(32).fill(i + 1));
  await Promise.all(
    issuers.map((issuer, i) => raiseRevocationFloor(path, { issuer, floor: i + 1 })),
  );
  const floors = await readRevocationFile(path);
  assert.deepEqual(floors.map(({ floor }) => floor), [1, 2, 3, 4, 5, 6, 7, 8]);
});

inFolder("raiseRevocationFloor() leaves a damaged file as it is", async (path) => {
  await raiseRevocationFloor(path, { issuer: OWNER.entityId, floor: 1 });
  await Deno.writeTextFile(path, "{");
  const isDamaged = (error: unknown) =>
    error instanceof NetError && error.code === "config_invalid";
  await assert.rejects(readRevocationFile(path), isDamaged);
  await assert.rejects(raiseRevocationFloor(path, { issuer: OWNER.entityId, floor: 2 }), isDamaged);
  assert.equal(await Deno.readTextFile(path), "{");
});

inFolder("raiseRevocationFloor() stops waiting for the lock when it is told to", async (path) => {
  await raiseRevocationFloor(path, { issuer: OWNER.entityId, floor: 1 });
  using lock = await Deno.open(`${path}.lock`, { write: true });
  await lock.lock(true);
  const controller = new AbortController();
  const { signal } = controller;
  const raised = raiseRevocationFloor(path, { issuer: OWNER.entityId, floor: 2 }, { signal });
  const reason = new Error("enough");
  controller.abort(reason);
  await assert.rejects(raised, reason);
});
