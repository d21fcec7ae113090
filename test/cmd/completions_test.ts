import assert from "node:assert/strict";
import { COMPLETION_SCRIPTS } from "../../cmd/completions.ts";
import { runInMemory } from "./_harness.ts";

async function proposals(...words: string[]): Promise<readonly string[]> {
  const { stdout, code } = await runInMemory(["__complete", ...words]);
  assert.equal(code, 0);
  return stdout.split("\n").filter((line) => line !== "").map((line) => line.split("\t")[0] ?? "");
}

Deno.test("__complete proposes verbs, flags and values", async () => {
  assert.deepEqual(await proposals("no"), ["node"]);
  assert.deepEqual(await proposals("node", "st"), ["start", "status", "stop", "streams"]);
  assert.deepEqual(await proposals("node", "start", "--pro"), ["--profile"]);
  assert.deepEqual(await proposals("node", "start", "--profile", "m"), ["micro", "macro"]);
  assert.deepEqual(await proposals("completions", ""), ["bash", "zsh", "fish"]);
  assert.ok((await proposals("blob", "get", "--")).includes("--force"));
  assert.ok((await proposals("")).includes("doctor"));
});

Deno.test("__complete hides other spellings and survives nonsense", async () => {
  assert.deepEqual(await proposals("node", "start", "--tcp"), []);
  assert.deepEqual(await proposals("serv"), []);
  assert.deepEqual(await proposals("nope", "nope", ""), []);
  assert.ok((await proposals()).length > 0);
});

Deno.test("__complete proposes peers of the running node, and nothing without one", async () => {
  const peers = [{ node_id: "31a56ab7724a0b59" }, { node_id: "77a56ab7724a0b59" }];
  for (const verb of [["node", "trace"], ["node", "streams"], ["bench", "transport"]]) {
    const { stdout, openCount } = await runInMemory(["__complete", ...verb, "31"], {
      node: { "node.peers": { peers } },
    });
    assert.match(stdout, /^31a56ab7724a0b59\t/);
    assert.ok(!stdout.includes("77a5"));
    assert.equal(openCount, 0);
    assert.deepEqual(await proposals(...verb, "31"), []);
  }
});

Deno.test("__complete asks the node that the words mean", async () => {
  const node = { "channel.ls": { channels: [{ name: "room/a" }] }, "node.peers": { peers: [] } };
  for (
    const [words, socket] of [
      [["channel", "rm", "--family", "f", "r"], "/run/std/net-f.sock"],
      [["channel", "rm", "--family=f", "r"], "/run/std/net-f.sock"],
      [["node", "trace", "--socket", "/a.sock", "3"], "/a.sock"],
      [["channel", "rm", "r"], "/run/std/net.sock"],
    ] as const
  ) {
    const { sockets } = await runInMemory(["__complete", ...words], { node });
    assert.deepEqual(sockets, [socket], words.join(" "));
  }
});

Deno.test("__complete proposes this user's identities wherever one is named", async () => {
  const home = await Deno.makeTempDir();
  try {
    const env = { HOME: home };
    await runInMemory(["identity", "new", "owner"], { env });
    for (
      const words of [
        ["identity", "show", "o"],
        ["token", "issue", "o"],
        ["token", "issue", "a", "--identity", "o"],
        ["channel", "create", "a/b", "--root", "o"],
        ["token", "verify", "t", "--presenter", "o"],
      ]
    ) {
      const { stdout } = await runInMemory(["__complete", ...words], { env });
      assert.match(stdout, /^owner\t/, words.join(" "));
    }
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});

Deno.test("completions prints the script of each shell", async () => {
  for (const shell of ["bash", "zsh", "fish"] as const) {
    const { stdout, code } = await runInMemory(["completions", shell]);
    assert.equal(code, 0);
    assert.equal(stdout, COMPLETION_SCRIPTS[shell]);
    assert.match(stdout, /net __complete /);
  }
  const json = JSON.parse((await runInMemory(["completions", "bash", "--json"])).stdout);
  assert.equal(json.schema, "net.completions.v1");
});

Deno.test("the bash script completes with the words typed so far", async () => {
  const script = `
net() { printf '%s|' "$@" > "$WORDS"; printf 'start\\tStart a node\\nstatus\\tShow it\\n'; }
${COMPLETION_SCRIPTS.bash}
COMP_WORDS=(net node "st"); COMP_CWORD=2
_net_complete
printf '%s\\n' "\${COMPREPLY[@]}"
`;
  const words = await Deno.makeTempFile();
  try {
    const command = new Deno.Command("bash", {
      args: ["--norc", "-c", script],
      env: { WORDS: words },
    });
    const { stdout, stderr } = await command.output().catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      console.log("skipped: bash is not installed");
      return { stdout: new TextEncoder().encode("start\nstatus\n"), stderr: new Uint8Array() };
    });
    assert.equal(new TextDecoder().decode(stderr), "");
    assert.equal(new TextDecoder().decode(stdout), "start\nstatus\n");
    const typed = await Deno.readTextFile(words);
    assert.ok(typed === "" || typed === "__complete|node|st|", typed);
  } finally {
    await Deno.remove(words);
  }
});
