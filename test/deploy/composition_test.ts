/** What a composition is, and starting one with members that are processes. */
import assert from "node:assert/strict";
import { NetError } from "../../src/base/mod.ts";
import {
  listMembers,
  MemberRecords,
  parseComposition,
  readRegistry,
  resolveComposition,
  startComposition,
  type StartCompositionOptions,
  startedWith,
  stopMember,
} from "../../src/deploy/mod.ts";
import { makeMemberToolkit, type MemberToolkit } from "./toolkit_of_members.ts";

/** A process starts slowly where nine others do. */
const WAIT_MS = 20_000;

Deno.test("resolveComposition() knows built-in names, manifests, files and folders", async () => {
  await using kit = await makeMemberToolkit();
  await kit.write(
    "manifest.lock",
    '[primals.a]\nversion = "1"\n[primals.b]\n[compositions.pair]\nprimals = ["a", "b", "b"]\n' +
      "[compositions.none]\nprimals = []\n",
  );
  const names = async (text: string) => {
    const { composition } = await resolveComposition(text, { cwd: kit.dir, toolkit: kit.toolkit });
    return `${composition.source} ${composition.members.map(({ name }) => name).join(" ")}`;
  };
  assert.equal(await names("solo"), "builtin net");
  assert.equal(await names("mesh"), "builtin net-1 net-2 net-3");
  assert.equal(await names("tower"), "builtin security discovery");
  assert.equal(await names("pair"), "toolkit a b b-2");
  assert.equal(await names("./toolkit"), "toolkit a b");
  await Deno.writeTextFile(
    `${kit.dir}/c.toml`,
    'name = "c"\n[[members]]\nname = "x"\nendpoint = "127.0.0.1:9"\nrequired = false\n' +
      '[[members]]\nname = "y"\ncapabilities = ["storage.put"]\n',
  );
  assert.equal(await names("c.toml"), "file x y");
  await Deno.writeTextFile(`${kit.dir}/c.json`, '{"name":"c","members":[{"name":"z"}]}');
  assert.equal(await names("./c.json"), "file z");
  for (const text of ["nest", "nothing", "none", "../x", "gone.toml", "/tmp", "a b"]) {
    const error = await rejects(names(text));
    assert.equal(error.exitCode, 2, text);
  }
  assert.match((await rejects(names("nest"))).next ?? "", /--toolkit/);
});

Deno.test("parseComposition() refuses what is not right, naming it", () => {
  const rows: readonly (readonly [object, RegExp])[] = [
    [{}, /name is missing/],
    [{ name: "c" }, /members is empty/],
    [{ name: "c", members: "x" }, /members must be an array of tables/],
    [{ name: "c", members: [1] }, /members\[0\] must be a table/],
    [{ name: "c", members: [{ name: "../x" }] }, /members\[0\]\.name/],
    [{ name: "c", members: [{ name: "a" }, { name: "a" }] }, /"a" is there twice/],
    [{ name: "c", members: [{ name: "a", endpoint: "x" }] }, /endpoint/],
    [{ name: "c", members: [{ name: "a", required: 1 }] }, /required/],
    [{ name: "c", members: [{ name: "a", capabilities: ["A"] }] }, /capabilities\[0\]/],
    [{ name: "c", members: [{ name: "a", family: "a b" }] }, /family/],
    [{ name: "c", members: Array(200).fill({ name: "a" }) }, /at most 128/],
  ];
  for (const [values, pattern] of rows) {
    assert.throws(() => parseComposition({ ...values }, "c.json"), pattern);
  }
});

Deno.test("V-a: members start in the order they need, and what runs already is left alone", async () => {
  await using kit = await makeMemberToolkit();
  const journal = kit.journalPath;
  await kit.add({ name: "a", journal }, '[genomeBin.service]\nafter = ["b"]\nwants = ["c"]\n');
  await kit.add({ name: "b", journal }, '[genomeBin.service]\nafter = ["c", "elsewhere"]\n');
  await kit.add({ name: "c", journal });
  await kit.write("manifest.lock", '[compositions.abc]\nprimals = ["a", "b", "c"]\n');
  const { members } = await run(kit, "abc");
  assert.deepEqual(members.map(({ name, status }) => `${name} ${status}`), [
    "c started",
    "b started",
    "a started",
  ]);
  assert.deepEqual(kit.journal(), ["start c", "start b", "start a"]);
  const again = await run(kit, "abc");
  assert.deepEqual(again.members.map(({ status }) => status), ["running", "running", "running"]);
  const records = await MemberRecords.open(kit.env);
  const started = await startedWith(records, "abc");
  assert.deepEqual(started.map(({ name }) => name), ["a", "b", "c"], "the last one stops first");
  for (const { name } of started) await stopMember(records, name);
  assert.deepEqual(kit.journal().slice(3), ["stop a", "stop b", "stop c"]);
});

Deno.test("V-a: what was started is stopped when a required member fails, the last one first", async () => {
  await using kit = await makeMemberToolkit();
  const journal = kit.journalPath;
  for (const name of ["a", "b"]) await kit.add({ name, journal });
  await kit.add({ name: "bad", crash: { text: "no disk", code: 3 } });
  await kit.write("manifest.lock", '[compositions.x]\nprimals = ["a", "b", "bad"]\n');
  const error = await rejects(run(kit, "x"));
  assert.match(error.message, /composition "x".*"bad".*exit code 3/);
  assert.deepEqual(error.data?.stopped, ["b", "a"]);
  assert.deepEqual(error.data?.tail, ["no disk"]);
  assert.deepEqual(kit.journal(), ["start a", "start b", "stop b", "stop a"]);
  assert.deepEqual(await listMembers(await MemberRecords.open(kit.env)), []);

  // One that is not required is told of, and the others stay.
  await Deno.writeTextFile(
    `${kit.dir}/x.json`,
    JSON.stringify({ name: "x", members: [{ name: "bad", required: false }, { name: "a" }] }),
  );
  const { members } = await run(kit, "./x.json");
  assert.deepEqual(members.map(({ status }) => status), ["failed", "started"]);
  await stopMember(await MemberRecords.open(kit.env), "a");
});

Deno.test("V-a: a ring of members is an error that names it, and nothing is started", async () => {
  await using kit = await makeMemberToolkit();
  const journal = kit.journalPath;
  await kit.add({ name: "a", journal }, '[genomeBin.service]\nafter = ["b"]\n');
  await kit.add({ name: "b", journal }, '[genomeBin.service]\nwants = ["a"]\n');
  await kit.write("manifest.lock", '[compositions.ring]\nprimals = ["a", "b"]\n');
  assert.match((await rejects(run(kit, "ring"))).message, /a → b → a/);
  assert.deepEqual(kit.journal(), []);
});

Deno.test("V-a: a caller who leaves leaves nothing behind", async () => {
  await using kit = await makeMemberToolkit();
  const journal = kit.journalPath;
  await kit.add({ name: "a", journal });
  await kit.add({ name: "mute", journal, isSilent: true });
  await kit.write("manifest.lock", '[compositions.x]\nprimals = ["a", "mute"]\n');
  const controller = new AbortController();
  const running = run(kit, "x", { signal: controller.signal });
  while (kit.journal().length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  controller.abort(new Error("left"));
  await assert.rejects(running, /left/);
  assert.ok(kit.journal().includes("stop a"));
  assert.deepEqual(await listMembers(await MemberRecords.open(kit.env)), []);
});

async function run(
  kit: MemberToolkit,
  text: string,
  options: Partial<StartCompositionOptions> = {},
) {
  const resolved = await resolveComposition(text, { cwd: kit.dir, toolkit: kit.toolkit });
  const members = await startComposition({
    ...resolved,
    registry: await readRegistry(kit.toolkit),
    records: await MemberRecords.open(kit.env),
    own: ["/nowhere/net"],
    env: kit.env,
    cwd: kit.dir,
    waitMs: WAIT_MS,
    ...options,
  });
  return { members };
}

async function rejects(work: Promise<unknown>): Promise<NetError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof NetError, String(error));
    return error;
  }
  assert.fail("it did not fail");
}
