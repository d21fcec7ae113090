import assert from "node:assert/strict";
import { type ErrorCode, NetError } from "../../src/base/mod.ts";
import { LOCK_FILE, NODE_FILE, takeDataFolder } from "../../src/kernel/mod.ts";

/** Runs a test in a folder of its own. */
function inFolder(name: string, run: (folder: string) => Promise<void>): void {
  Deno.test(name, async () => {
    const folder = await Deno.makeTempDir({ prefix: "net_folder_" });
    try {
      await run(folder);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

async function rejects(run: () => Promise<unknown>, code: ErrorCode, pattern: RegExp) {
  await assert.rejects(run, (error) => {
    assert.ok(error instanceof NetError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, pattern);
    assert.ok(error.next);
    return true;
  });
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Takes the lock of a folder and holds it until it is told to go. */
const HOLDER = `
const file = await Deno.open(Deno.args[0], { create: true, read: true, write: true });
await file.lock(true);
await file.write(new TextEncoder().encode(Deno.pid + "\\n"));
console.log("held");
await Deno.stdin.read(new Uint8Array(1));
`;

inFolder("takeDataFolder() makes a private folder with its pid in the lock", async (folder) => {
  const path = `${folder}/new/data`;
  const taken = await takeDataFolder(path);
  assert.equal(taken.path, path);
  assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o700);
  assert.equal(await Deno.readTextFile(`${path}/${LOCK_FILE}`), `${Deno.pid}\n`);
  assert.equal(((await Deno.stat(`${path}/${LOCK_FILE}`)).mode ?? 0) & 0o777, 0o600);
  await taken.release();
});

inFolder("takeDataFolder() refuses a folder in use until it is released", async (folder) => {
  const taken = await takeDataFolder(folder);
  await rejects(
    () => takeDataFolder(folder),
    "data_dir_locked",
    new RegExp(`"${folder}": process ${Deno.pid} has it`),
  );
  // The refused attempt changed nothing.
  assert.equal(await Deno.readTextFile(`${folder}/${LOCK_FILE}`), `${Deno.pid}\n`);
  await taken.release();
  await taken.release();
  const again = await takeDataFolder(folder);
  await again.release();
});

inFolder("takeDataFolder() names another process, and succeeds once that died", async (folder) => {
  const script = `${folder}/holder.js`;
  await Deno.writeTextFile(script, HOLDER);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-config", script, `${folder}/${LOCK_FILE}`],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  try {
    await rejects(
      () => takeDataFolder(folder),
      "data_dir_locked",
      new RegExp(`process ${child.pid} has it`),
    );
  } finally {
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    await child.stdin.close().catch(() => {});
  }
  // What the killed process left in the file is no lock.
  assert.equal(await Deno.readTextFile(`${folder}/${LOCK_FILE}`), `${child.pid}\n`);
  const taken = await takeDataFolder(folder);
  assert.equal(await Deno.readTextFile(`${folder}/${LOCK_FILE}`), `${Deno.pid}\n`);
  await taken.release();
});

inFolder(
  "takeDataFolder() overwrites a longer stale lock and drops its node file",
  async (folder) => {
    await Deno.writeTextFile(`${folder}/${LOCK_FILE}`, "12345678901234567890\n");
    await Deno.writeTextFile(`${folder}/${NODE_FILE}`, '{"pid":1,"socket":"/gone"}\n');
    const taken = await takeDataFolder(folder);
    assert.equal(await Deno.readTextFile(`${folder}/${LOCK_FILE}`), `${Deno.pid}\n`);
    assert.ok(!await exists(`${folder}/${NODE_FILE}`));
    await taken.release();
  },
);

inFolder("announce() says where the node is until release()", async (folder) => {
  const taken = await takeDataFolder(folder);
  for (const socket of ["/run/a.sock", "/run/b.sock"]) {
    await taken.announce(socket);
    const text = await Deno.readTextFile(`${folder}/${NODE_FILE}`);
    assert.deepEqual(JSON.parse(text), { pid: Deno.pid, socket });
    assert.equal(((await Deno.stat(`${folder}/${NODE_FILE}`)).mode ?? 0) & 0o777, 0o600);
  }
  assert.ok(!await exists(`${folder}/${NODE_FILE}.new`));
  await taken.release();
  assert.ok(!await exists(`${folder}/${NODE_FILE}`));
  assert.equal(await Deno.readTextFile(`${folder}/${LOCK_FILE}`), "");
});

inFolder("takeDataFolder() refuses a path that is no folder", async (folder) => {
  await Deno.writeTextFile(`${folder}/file`, "");
  await rejects(() => takeDataFolder(`${folder}/file`), "data_dir_unusable", /"[^"]*\/file"/);
  await rejects(() => takeDataFolder(`${folder}/file/data`), "data_dir_unusable", /file\/data"/);
  await Deno.mkdir(`${folder}/taken/${LOCK_FILE}`, { recursive: true });
  await rejects(() => takeDataFolder(`${folder}/taken`), "data_dir_unusable", /taken"/);
});
