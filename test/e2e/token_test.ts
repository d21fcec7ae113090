/** Identities and tokens through the program itself, with and without a node. */
import assert from "node:assert/strict";
import { assertFails, makeWorkspace, waitFor } from "./harness.ts";

const UDP = ["--udp", "127.0.0.1:0"];

Deno.test("tokens are issued, passed on, checked and taken back without a node", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  for (const name of ["owner", "gateway", "agent"]) await home.json(["identity", "new", name]);
  const issued = await home.net([
    ..."token issue gateway --identity owner --channel lab/x --depth 1".split(" "),
    ...["--allow", "subscribe,delegate"],
  ]);
  const passed = await home.net(
    "token delegate - agent --identity gateway --allow subscribe".split(" "),
    { stdin: issued.stdout },
  );
  assert.match(passed.stdout, /^02[0-9a-f]{676}\n$/);
  const verify = () =>
    home.net(
      "token verify - --root owner --presenter agent --channel lab/x --action subscribe".split(" "),
      { stdin: passed.stdout },
    );
  assert.equal((await verify()).code, 0);
  assert.equal((await home.net(["identity", "rotate", "owner"])).code, 0);
  assert.equal((await verify()).code, 0);
  assert.equal((await home.net(["token", "revoke", "owner"])).code, 0);
  const refused = await verify();
  assert.equal(refused.code, 5);
  assert.match(refused.stdout, /refused: token: revoked\n$/);
});

Deno.test("a running node learns of a revocation and keeps its own identity", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  const owner = await home.json(["identity", "new", "owner"]);
  const node = await workspace.startNode({ home, flags: [...UDP, "--identity", "owner"] });
  assert.equal((await home.json(["identity", "show"])).entity_id, owner.entity_id);
  const revoked = async () => (await home.json(["node", "counters"])).counters;
  const countOf = (counters: unknown) =>
    Object.entries(counters ?? {}).find(([name]) => name === "net_tokens_revoked_issuers")?.[1];
  assert.equal(countOf(await revoked()), 0);
  await home.json(["token", "revoke", String(owner.entity_id)]);
  await waitFor("the node reads the list", async () => countOf(await revoked()) === 1);
  assertFails(await home.net(["identity", "rotate"]), 3, "data_dir_locked");
  await node.kill("SIGTERM");
  assert.equal((await home.json(["identity", "rotate"])).issuer_generation, 1);
  await home.json(["identity", "new", "other"]);
  const two = await home.net(["node", "start", ...UDP, "--identity", "other"]);
  assert.match(assertFails(two, 2, "config_invalid"), /two identities are given/);
});

Deno.test("no secret is printed unless a flag says so", async () => {
  await using workspace = await makeWorkspace();
  const home = workspace.makeHome();
  const { file } = await home.json(["identity", "new", "owner"]);
  const seed = (await Deno.readTextFile(String(file))).trim();
  const printed: string[] = [];
  for (
    const args of ["new owner", "ls", "show owner", "export owner --out copy", "rotate owner"]
  ) {
    const { stdout, stderr } = await home.net(["identity", ...args.split(" ")]);
    printed.push(stdout, stderr);
  }
  assert.ok(!printed.join("").includes(seed));
  const { stdout } = await home.net(["identity", "export", "owner", "--show-secret"]);
  assert.ok(stdout.includes(seed));
});
