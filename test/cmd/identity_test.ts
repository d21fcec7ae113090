import assert from "node:assert/strict";
import { takeDataFolder } from "../../src/kernel/mod.ts";
import { runInMemory, type RunOptions } from "./_harness.ts";

const STATE = `01${"21".repeat(32)}07000000`;
const ENTITY = "884b8857f4eaa1613c61504db34d4beaf346517a0e31de3cddd4d9b4201d9d0b";

interface Home {
  readonly path: string;
  run(args: string, options?: RunOptions): ReturnType<typeof runInMemory>;
  json(args: string, options?: RunOptions): Promise<Record<string, unknown>>;
}

function inHome(name: string, test: (home: Home) => Promise<void>): void {
  Deno.test(name, async () => {
    const path = await Deno.makeTempDir();
    const run = (args: string, options: RunOptions = {}) =>
      runInMemory(args.split(" "), { env: { HOME: path }, cwd: path, ...options });
    const json = async (args: string, options: RunOptions = {}) => {
      const { code, stdout, stderr } = await run(`${args} --json`, options);
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout);
    };
    try {
      await test({ path, run, json });
    } finally {
      await Deno.remove(path, { recursive: true });
    }
  });
}

async function modeOf(path: string): Promise<number> {
  return ((await Deno.stat(path)).mode ?? 0) & 0o777;
}

inHome("identity new makes named identities and the node's own, once each", async (home) => {
  const own = await home.json("identity new");
  assert.equal(own.schema, "net.identity.new.v1");
  assert.equal(own.file, `${home.path}/.local/share/net/identity.key`);
  const named = await home.json("identity new ada");
  assert.equal(named.file, `${home.path}/.config/net/identities/ada.key`);
  assert.notEqual(own.entity_id, named.entity_id);
  for (const { file } of [own, named]) {
    assert.equal(await modeOf(String(file)), 0o600);
    assert.equal((await Deno.readTextFile(String(file))).length, 65);
  }
  for (const args of ["identity new", "identity new ada", "identity generate ada"]) {
    const { code, stderr } = await home.run(args);
    assert.equal(code, 1);
    assert.match(stderr, /code: conflict/);
  }
  const elsewhere = await home.json("identity new ./keys/x.key");
  assert.equal(elsewhere.file, `${home.path}/keys/x.key`);
});

inHome("identity ls and show tell what was made, and no secret", async (home) => {
  assert.deepEqual((await home.json("identity ls")).identities, []);
  for (const name of ["zoe", "ada"]) await home.run(`identity new ${name}`);
  const { stdout } = await home.run("identity ls");
  assert.match(stdout, /^NAME {2}ENTITY +GENERATION\nada {3}[0-9a-f]{64} +0\nzoe /);
  const ada = await home.json("identity show ada");
  assert.equal(ada.schema, "net.identity.show.v1");
  assert.equal(ada.issuer_generation, 0);
  const secret = (await Deno.readTextFile(String(ada.file))).trim();
  const entity = await home.run("identity show ada --entity");
  assert.equal(entity.stdout, `${ada.entity_id}\n`);
  const shown = await home.run("identity show ada");
  assert.ok(!shown.stdout.includes(secret) && shown.stdout.includes(String(ada.entity_id)));
  const { code, stderr } = await home.run("identity show bob");
  assert.equal(code, 4);
  assert.match(stderr, /next: make it with net identity new/);
});

inHome("identity export writes a new file for its owner, or prints when told to", async (home) => {
  await home.run("identity import - ada", { stdin: STATE });
  const out = `${home.path}/ada.backup`;
  const { stdout } = await home.run(`identity export ada --out ${out}`);
  assert.equal(stdout, `exported to ${out}\n`);
  assert.equal(await Deno.readTextFile(out), `${STATE}\n`);
  assert.equal(await modeOf(out), 0o600);
  assert.equal((await home.run(`identity export ada --out ${out}`)).code, 1);
  const printed = await home.run("identity export ada --show-secret");
  assert.equal(printed.stdout, `${STATE}\n`);
  assert.equal((await home.json("identity export ada --show-secret")).state, STATE);
  assert.ok(!("state" in await home.json("identity export ada --out b2")));
  for (const flags of ["", ` --show-secret --out ${out}2`]) {
    const { code, stdout, stderr } = await home.run(`identity export ada${flags}`);
    assert.equal(code, 2);
    assert.ok(!`${stdout}${stderr}`.includes("2121"));
  }
});

inHome("identity import takes every form and keeps what is there", async (home) => {
  await Deno.writeTextFile(`${home.path}/seed`, `${"21".repeat(32)}\n`);
  const first = await home.json("identity import seed ada");
  assert.deepEqual([first.outcome, first.entity_id], ["created", ENTITY]);
  const raised = await home.json("identity import - ada", { stdin: STATE });
  assert.deepEqual([raised.outcome, raised.issuer_generation], ["raised", 7]);
  const again = await home.json("identity import seed ada");
  assert.deepEqual([again.outcome, again.issuer_generation], ["unchanged", 7]);
  const other = "22".repeat(32);
  const refused = await home.run("identity import - ada", { stdin: other });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /--force/);
  assert.equal((await home.json("identity show ada")).entity_id, ENTITY);
  const replaced = await home.json("identity import - ada --force", { stdin: other });
  assert.deepEqual([replaced.outcome, replaced.issuer_generation], ["replaced", 0]);
});

inHome("identity import never shows what it was given", async (home) => {
  const secret = "2".repeat(63);
  for (
    const [args, stdin] of [
      ["identity import -", secret],
      [`identity import ${secret}2`, ""],
      [`identity import - ${STATE}`, STATE],
      [`token issue ${"ff".repeat(31)}7f --channel a --allow publish`, ""],
    ] as const
  ) {
    const { code, stdout, stderr } = await home.run(args, { stdin });
    assert.equal(code, 2, args);
    assert.ok(!/2222|2121|ffff/.test(`${stdout}${stderr}`), stderr);
  }
  assert.equal((await home.run("identity import nowhere")).code, 4);
});

inHome("identity rotate raises the generation and says what is to be done", async (home) => {
  await home.run("identity new ada");
  const before = await home.json("identity show ada");
  const { stdout, stderr } = await home.run("identity rotate ada");
  assert.equal(stdout, "generation 0 -> 1\n");
  assert.match(stderr, /net token revoke ada --below 1/);
  const rotated = await home.json("identity rotate ada --to 9");
  assert.deepEqual([rotated.before, rotated.issuer_generation], [1, 9]);
  assert.equal(rotated.entity_id, before.entity_id);
  assert.equal((await home.json("identity show ada")).issuer_generation, 9);
  for (const to of ["9", "0", "-1", "x", "4294967296"]) {
    assert.equal((await home.run(`identity rotate ada --to=${to}`)).code, 2, to);
  }
  assert.equal((await home.run("identity rotate bob")).code, 4);
  await home.run("identity rotate ada --to 4294967295");
  assert.equal((await home.run("identity rotate ada")).code, 12);
});

inHome("the node's own identity does not change while a node has its folder", async (home) => {
  const dataDir = `${home.path}/data`;
  await home.run(`identity new --data-dir ${dataDir}`);
  const before = await home.json(
    `identity export --show-secret --data-dir ${dataDir}`,
  );
  const folder = await takeDataFolder(dataDir);
  try {
    for (const args of ["rotate", "import - --force"]) {
      const { code, stderr } = await home.run(`identity ${args} --data-dir ${dataDir}`, {
        stdin: STATE,
      });
      assert.equal(code, 3);
      assert.match(stderr, /code: data_dir_locked/);
    }
    // Reading needs nobody's leave.
    assert.deepEqual(
      await home.json(`identity export --show-secret --data-dir ${dataDir}`),
      before,
    );
  } finally {
    await folder.release();
  }
  const rotated = await home.json(`identity rotate --data-dir ${dataDir}`);
  assert.equal(rotated.issuer_generation, 1);
  assert.match(String(rotated.revoke), /^net token revoke [0-9a-f]{64} --below 1$/);
});

Deno.test("identity verbs say which variable is missing", async () => {
  for (const args of [["identity", "new"], ["identity", "new", "ada"], ["identity", "ls"]]) {
    const { code, stderr } = await runInMemory(args, { env: {} });
    assert.equal(code, 4);
    assert.match(stderr, /neither HOME nor XDG_/);
  }
});
