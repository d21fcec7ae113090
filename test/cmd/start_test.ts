/** The verbs that find, start, stop and list members, run in memory. */
import assert from "node:assert/strict";
import { makeMemberToolkit, type MemberToolkit } from "../deploy/toolkit_of_members.ts";
import { runInMemory } from "./_harness.ts";

/** A process starts slowly where nine others do. */
const WAIT = ["--wait", "20s"];

function net(kit: MemberToolkit, ...args: readonly string[]) {
  return runInMemory(args, { env: { ...kit.env, NET_TOOLKIT: kit.toolkit }, cwd: kit.dir });
}

async function json(kit: MemberToolkit, ...args: readonly string[]) {
  const { code, stdout, stderr } = await net(kit, ...args, "--json");
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

Deno.test("net start, members, lookup and stop tell the same story", async () => {
  await using kit = await makeMemberToolkit();
  await kit.add({ name: "good" });
  const started = await json(kit, "start", "good", ...WAIT);
  assert.equal(started.schema, "net.start.v1");
  assert.deepEqual(started.endpoints, [`unix:${kit.sockets}/good.sock`]);
  assert.equal(started.status, "live");
  assert.deepEqual((await json(kit, "members")).members[0].state, "live");
  assert.equal((await json(kit, "lookup", "good")).endpoint, `unix:${kit.sockets}/good.sock`);
  const again = await net(kit, "start", "good");
  assert.equal(again.code, 3);
  assert.match(again.stderr, /^next: net stop good$/m);
  assert.deepEqual((await json(kit, "stop", "good")).members, [
    { name: "good", pid: started.pid, status: "stopped" },
  ]);
  assert.equal((await net(kit, "stop", "good")).code, 4);
  const lookup = await net(kit, "lookup", "good", "--json");
  assert.equal(lookup.code, 4);
  assert.equal(JSON.parse(lookup.stdout).live, false);
  assert.deepEqual((await json(kit, "members")).members, []);
});

Deno.test("net start prints the end of the log of a member that does not come up", async () => {
  await using kit = await makeMemberToolkit();
  await kit.add({ name: "bad", crash: { text: "no disk", code: 3 } });
  const { code, stdout, stderr } = await net(kit, "start", "bad", ...WAIT);
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.match(
    stderr,
    /^no disk\nnet: Cannot start "bad": it ended with exit code 3\ncode: failed\n/,
  );
  assert.match(stderr, /^next: read .*bad\.log$/m);
  const asJson = await net(kit, "start", "bad", "--json", ...WAIT);
  assert.deepEqual(JSON.parse(asJson.stderr).error.data.tail, ["no disk"]);
});

Deno.test("net start shows its command line without running it", async () => {
  await using kit = await makeMemberToolkit();
  await kit.add({ name: "m" }, '[genomeBin.server]\nlisten_flag = "--listen"\n');
  await kit.write("ports.env", "M_PORT=9123\n");
  const rows: readonly (readonly [readonly string[], string])[] = [
    [[], "server"],
    [["--tcp-port", "9", "--tcp-bind", "0.0.0.0"], "server --listen 0.0.0.0:9"],
    [["--port", "default"], "server --listen 127.0.0.1:9123"],
    [["--", "--own", "a b"], "server --own 'a b'"],
  ];
  for (const [args, words] of rows) {
    const { stdout } = await net(kit, "start", "m", "--dry-run", ...args);
    assert.equal(stdout, `${kit.toolkit}/primals/m ${words}\n`);
  }
  const own = await json(kit, "start", "net", "--dry-run", "--family", "f", "--data-dir", "d");
  assert.deepEqual(own.command.slice(-5), [
    "server",
    "--family",
    "f",
    "--data-dir",
    `${kit.dir}/d`,
  ]);
  assert.deepEqual(own.env, { FAMILY_ID: "f" });
});

Deno.test("net start refuses what cannot be meant, with the exit code of its kind", async () => {
  await using kit = await makeMemberToolkit();
  await kit.add({ name: "m" }, "[genomeBin.server]\n");
  await Deno.writeTextFile(`${kit.dir}/plain`, "x", { mode: 0o644 });
  const rows: readonly (readonly [number, readonly string[]])[] = [
    [2, []],
    [2, ["m", "--composition", "solo"]],
    [2, ["../m"]],
    [2, ["m", "--port", "x"]],
    [2, ["m", "--port", "1", "--tcp-port", "2"]],
    [2, ["m", "--bind", "localhost"]],
    [2, ["m", "--port", "default"]],
    [2, ["m", "--family", "../x"]],
    [2, ["m", "--socket", "/s"]],
    [2, ["m", "--dark-forest"]],
    [2, ["m", "--capabilities-only"]],
    [2, ["m", "--foreground", "--json"]],
    [2, ["--composition", "nest"]],
    [2, ["--composition", "solo", "--socket", "/s"]],
    [2, ["--composition", "solo", "--port", "9"]],
    [4, ["absent"]],
    [4, ["m", "--bin", "gone"]],
    [5, ["m", "--bin", "plain"]],
  ];
  for (const [code, args] of rows) {
    const result = await net(kit, "start", ...args);
    assert.equal(result.code, code, `${args.join(" ")}: ${result.stderr}`);
    assert.match(result.stderr, /^next: \S|"next":"\S/m);
  }
  for (const args of [[], ["m", "--composition", "x"]]) {
    assert.equal((await net(kit, "stop", ...args)).code, 2);
  }
  assert.equal((await net(kit, "stop", "--composition", "x")).code, 4);
  assert.equal((await net(kit, "lookup", "../x")).code, 2);
});

Deno.test("net start --foreground has the member's output and exit code", async () => {
  await using kit = await makeMemberToolkit();
  await kit.add({ name: "bad", crash: { text: "", code: 7 } });
  assert.equal((await net(kit, "start", "bad", "--foreground")).code, 7);
});

Deno.test("net start --capabilities-only prints what the program says, made safe", async () => {
  await using kit = await makeMemberToolkit();
  await kit.add({ name: "m" }, '[genomeBin]\nunibin_modes = ["capabilities"]\n');
  const script =
    '#!/bin/sh\n[ "$*" = capabilities ] && printf "a.b\\n\\033[31mc.d\\033[0m\\a\\n"\n';
  await Deno.writeTextFile(`${kit.toolkit}/primals/m`, script);
  const { code, stdout, stderr } = await net(kit, "start", "m", "--capabilities-only");
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "a.b\nc.d\u{fffd}\n");
});

Deno.test("net start --composition shows the order and starts nothing with --dry-run", async () => {
  await using kit = await makeMemberToolkit();
  await kit.add({ name: "a" }, '[genomeBin.service]\nafter = ["b"]\n');
  await kit.add({ name: "b" });
  await kit.write("manifest.lock", '[compositions.ab]\nprimals = ["a", "b"]\n');
  const { order } = await json(kit, "start", "--composition", "ab", "--dry-run");
  assert.deepEqual(order, ["b", "a"]);
  assert.deepEqual((await json(kit, "members")).members, []);
});

Deno.test("__complete proposes members, compositions and what was started", async () => {
  await using kit = await makeMemberToolkit();
  await kit.add({ name: "good" });
  await kit.write("manifest.lock", '[primals.good]\n[compositions.pair]\nprimals = ["good"]\n');
  const words = async (...args: readonly string[]) =>
    (await net(kit, "__complete", ...args)).stdout.trim().split("\n")
      .map((line) => line.split("\t", 1)[0]);
  assert.deepEqual(await words("start", ""), ["net", "good"]);
  assert.deepEqual(await words("start", "--composition", "p"), ["pair"]);
  assert.deepEqual(await words("validate", "composition", "m"), ["mesh"]);
  assert.deepEqual(await words("stop", ""), [""]);
  await json(kit, "start", "good", ...WAIT);
  assert.deepEqual(await words("stop", "g"), ["good"]);
  await json(kit, "stop", "good");
});
