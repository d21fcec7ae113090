import assert from "node:assert/strict";
import { runInMemory } from "./_harness.ts";

const STATUS = { "node.status": { node_id: "ab" } };

async function withDataDir(node: unknown, body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const text = typeof node === "string" ? node : JSON.stringify(node);
    if (node !== undefined) await Deno.writeTextFile(`${folder}/node.json`, text);
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function socketsOf(...args: string[]): Promise<readonly string[]> {
  return (await runInMemory(["node", "status", ...args], { node: STATUS })).sockets;
}

Deno.test("connectNode() takes the socket that was named, in any spelling", async () => {
  for (const flag of ["--socket", "--unix", "--uds-path"]) {
    assert.deepEqual(await socketsOf(flag, "/a/b.sock"), ["/a/b.sock"]);
  }
  const { code, stderr } = await runInMemory(["node", "status", "--socket", "/a", "--unix", "/b"]);
  assert.equal(code, 2);
  assert.match(stderr, /--socket and --unix/);
});

Deno.test("connectNode() takes the standard place of the family", async () => {
  assert.deepEqual(await socketsOf(), ["/run/std/net.sock"]);
  assert.deepEqual(await socketsOf("--family", "f"), ["/run/std/net-f.sock"]);
  const { sockets } = await runInMemory(["node", "status"], {
    node: STATUS,
    env: { FAMILY_ID: "g" },
  });
  assert.deepEqual(sockets, ["/run/std/net-g.sock"]);
});

Deno.test("connectNode() says how to start the node that was meant", async () => {
  for (const [args, next] of [[[], ""], [["--family", "f"], " --family f"]] as const) {
    const { code, stderr } = await runInMemory(["node", "status", ...args]);
    assert.equal(code, 6);
    assert.match(stderr, new RegExp(`^next: start one with net node start${next}$`, "m"));
  }
});

Deno.test("connectNode() reads the socket from a data folder that was named", async () => {
  await withDataDir({ pid: 1, socket: "/x/y.sock" }, async (folder) => {
    assert.deepEqual(await socketsOf("--data-dir", folder), ["/x/y.sock"]);
  });
});

Deno.test("connectNode() asks no other node when the data folder names none", async () => {
  for (const node of [undefined, "{", { socket: 5 }, { socket: "relative" }, []]) {
    await withDataDir(node, async (folder) => {
      const args = ["node", "status", "--data-dir", folder];
      const { code, sockets, stderr } = await runInMemory(args, { node: STATUS });
      assert.equal(code, 6);
      assert.deepEqual(sockets, []);
      assert.ok(stderr.includes(`\nnext: start one with net node start --data-dir ${folder}\n`));
    });
  }
});

Deno.test("connectNode() tries the default data folder's node after the standard place", async () => {
  await withDataDir(undefined, async (home) => {
    await Deno.mkdir(`${home}/net`);
    await Deno.writeTextFile(`${home}/net/node.json`, JSON.stringify({ socket: "/own.sock" }));
    const env = { XDG_DATA_HOME: home };
    const { sockets, code } = await runInMemory(["node", "status"], { env });
    assert.deepEqual(sockets, ["/run/std/net.sock", "/own.sock"]);
    assert.equal(code, 6);
  });
});

Deno.test("connectOrOpen() opens the data folder only when no socket was named", async () => {
  await withDataDir(undefined, async (folder) => {
    const answers = { "blob.list": { blobs: [] } };
    const alone = await runInMemory(["blob", "ls", "--data-dir", folder], { standalone: answers });
    assert.equal(alone.code, 0);
    assert.equal(alone.stdout, "no blobs\n");
    const named = await runInMemory(["blob", "ls", "--socket", "/s"], { standalone: answers });
    assert.equal(named.code, 6);
    assert.deepEqual(named.configs, []);
  });
});

Deno.test("connectOrOpen() needs a data folder", async () => {
  const { code, configs } = await runInMemory(["blob", "ls"], { env: {} });
  assert.equal(code, 6);
  assert.deepEqual(configs, []);
});

Deno.test("connectOrOpen() ignores variables that concern only a start", async () => {
  await withDataDir(undefined, async (folder) => {
    const { code } = await runInMemory(["blob", "ls", "--data-dir", folder], {
      env: { NET_PORT: "broken", NET_TICKET: "net1x", BIOMEOS_INSECURE: "1", FAMILY_ID: "f" },
      standalone: { "blob.list": { blobs: [] } },
    });
    assert.equal(code, 0);
  });
});
