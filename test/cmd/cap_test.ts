/** `net cap`: what is asked of the node, what is printed, what is refused before that. */
import assert from "node:assert/strict";
import { findText } from "../../cmd/cap_find.ts";
import { decodeAnnouncement, verifyAnnouncement } from "../../src/core/capability/mod.ts";
import { runInMemory } from "./_harness.ts";

const OWN = {
  node_id: "31a56ab7724a0b59",
  entity_id: "aa".repeat(32),
  own: true,
  stale: false,
  version: "7",
  announced_at: "2026-01-01T00:00:00.000Z",
  ttl_secs: 300,
  expires_in_ms: null,
  hops: 0,
  tags: ["gpu", "net.sealed@1"],
  metadata: { rack: "7" },
  allowed_nodes: ["0000000000000001"],
  allowed_subnets: [],
  allowed_groups: [],
  policy_version: "0",
  told_in_ms: 4_000,
  warnings: ["nobody knows the property hardware.memory; is it spelled right?"],
};
const FOUND = {
  node_id: "00000000000000aa",
  own: false,
  stale: true,
  hops: 2,
  rtt_ms: 1.5,
  tags: ["gpu"],
};

Deno.test("cap announce replaces, adds, removes, and says when peers hear of it", async () => {
  const node = { "cap.announce": OWN };
  const args = ["--tag", "gpu", "--meta", "rack=7", "--tenant", "acme", "--allow-node", "1"];
  const { code, stdout, stderr, calls } = await runInMemory(["cap", "announce", ...args], { node });
  assert.equal(code, 0, stderr);
  assert.deepEqual(calls[0]?.params, {
    mode: "replace",
    tags: ["gpu", "scope:tenant:acme"],
    metadata: [["rack", "7"]],
    allow_nodes: ["1"],
    allow_subnets: [],
    allow_groups: [],
  });
  assert.match(stdout, /^admits +1 node$/m);
  assert.match(stdout, /^ {2}rack = 7$/m);
  assert.match(stderr, /peers hear of it in 4 s/);
  assert.match(stderr, /warning: nobody knows the property hardware\.memory/);
  const removed = await runInMemory(["cap", "announce", "--remove", "--meta", "rack"], { node });
  assert.deepEqual(removed.calls[0]?.params.metadata, [["rack", ""]]);
  const cleared = await runInMemory(["cap", "announce", "--clear", "--json"], { node });
  assert.equal(JSON.parse(cleared.stdout).schema, "net.cap.announce.v1");
});

Deno.test("cap announce refuses what does not go together", async () => {
  for (
    const [args, message] of [
      [[], /nothing is given/],
      [["--clear", "--tag", "a"], /--clear/],
      [["--add", "--remove", "--tag", "a"], /combine --add and --remove/],
      [["--tag", "a", "--ttl-secs", "3"], /--ttl-secs without --offline/],
      [["--meta", "rack"], /must be KEY=VALUE/],
    ] as const
  ) {
    const { code, stderr, calls } = await runInMemory(["cap", "announce", ...args], { node: {} });
    assert.equal(code, 2, stderr);
    assert.match(stderr, message);
    assert.equal(calls.length, 0);
  }
});

Deno.test("cap announce --offline signs with a key file, and --apply sends it", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const key = `${folder}/a.key`;
    await Deno.writeTextFile(key, `${"07".repeat(32)}\n`, { mode: 0o600 });
    const sign = (...args: string[]) =>
      runInMemory(["cap", "announce", "--offline", "--key", key, ...args], { cwd: folder });
    const { code, stdout, stderr } = await sign(
      "--tag",
      "gpu",
      "--version",
      "9",
      "--ttl-secs",
      "60",
    );
    assert.equal(code, 0, stderr);
    const decoded = decodeAnnouncement(new TextEncoder().encode(stdout.trim()));
    assert.ok(decoded.ok);
    const { announcement } = decoded;
    assert.equal(verifyAnnouncement(announcement), undefined);
    assert.deepEqual([announcement.version, announcement.ttlSeconds], [9n, 60]);
    assert.deepEqual(announcement.capabilities.tags, ["gpu"]);

    const config = `${folder}/config/net/identities`;
    await Deno.mkdir(config, { recursive: true });
    await Deno.copyFile(key, `${config}/ada.key`);
    const named = await runInMemory(
      ["cap", "announce", "--offline", "--key", "ada", "--tag", "gpu", "--out", "named.json"],
      { cwd: folder, env: { XDG_CONFIG_HOME: `${folder}/config` } },
    );
    assert.equal(named.code, 0, named.stderr);
    const astray = await sign("--tag", "gpu", "--out", "nowhere/p.json");
    assert.equal(astray.code, 4);
    assert.match(astray.stderr, /Cannot write signed file: there is no folder ".*nowhere"/);

    const wrong = await sign("--tag", "gpu", "--node-id", "1");
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /the key is that of/);
    const reserved = await sign("--tag", "causal:aa");
    assert.match(reserved.stderr, /prefix causal: is reserved/);
    const many = Array.from({ length: 65 }, (_, i) => ["--allow-node", String(i)]).flat();
    assert.equal((await sign(...many)).code, 12);
    assert.equal((await sign("--tag", "gpu", "--tag", "gpu", "--out", "p.json")).code, 0);

    const applied = await runInMemory(["cap", "announce", "--apply", "p.json"], {
      cwd: folder,
      node: { "cap.apply": OWN },
    });
    assert.equal(applied.code, 0, applied.stderr);
    assert.match(String(applied.calls[0]?.params.announcement), /"tags":\["gpu"\]/);
    const missing = await runInMemory(["cap", "announce", "--apply", "q.json"], { cwd: folder });
    assert.equal(missing.code, 4);
    assert.match(missing.stderr, /there is no ".*q\.json"\n/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("cap announce takes tags and ids out of files, so that no secret stands on a command line", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const id = "0a".repeat(32);
    await Deno.writeTextFile(`${folder}/team`, `${id}\n\n  ${"0b".repeat(32)}  \n`);
    await Deno.writeTextFile(`${folder}/tags`, `group:${id}\n`);
    const args = ["--tag", "gpu", "--tag", "@tags", "--allow-group", "@team"];
    const { code, stderr, calls } = await runInMemory(["cap", "announce", ...args], {
      cwd: folder,
      node: { "cap.announce": OWN },
    });
    assert.equal(code, 0, stderr);
    assert.deepEqual(calls[0]?.params.tags, ["gpu", `group:${id}`]);
    assert.deepEqual(calls[0]?.params.allow_groups, [id, "0b".repeat(32)]);
    const missing = await runInMemory(["cap", "announce", "--allow-group", "@none"], {
      cwd: folder,
    });
    assert.equal(missing.code, 4);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("cap find asks by tags, requirements and flags, and exits with 4 for nothing", async () => {
  const node = { "cap.find": { nodes: [FOUND], total: 3, omitted: 2, version: 5 } };
  const args = [
    "gpu",
    "hardware.memory_gb>=32",
    "--region",
    "eu",
    "--min-memory",
    "1.5",
    "--fresh",
  ];
  const { code, stdout, stderr, calls } = await runInMemory(["cap", "find", ...args], { node });
  assert.equal(code, 0, stderr);
  assert.deepEqual(calls[0]?.params.required, ["gpu", "hardware.memory_gb>=32"]);
  assert.deepEqual(calls[0]?.params.regions, ["eu"]);
  assert.equal(calls[0]?.params.min_memory_gb, 1.5);
  assert.equal(calls[0]?.params.fresh, true);
  assert.match(stdout, /^00000000000000aa +stale +2 +1\.50ms +gpu$/m);
  assert.match(stderr, /2 more/);
  const nothing = { "cap.find": { nodes: [], total: 0, omitted: 0, version: 5 } };
  const none = await runInMemory(["cap", "find", "x", "--json"], { node: nothing });
  assert.equal(none.code, 4);
  assert.equal(JSON.parse(none.stdout).total, 0);
  assert.equal((await runInMemory(["cap", "find", "--min-vram", "x"], { node })).code, 2);
  const kinds = ["--modality", "image", "--modality", "text", "--gpu-vendor", "amd"];
  const { params } = (await runInMemory(["cap", "find", ...kinds], { node })).calls[0] ?? {};
  assert.deepEqual([params?.modalities, params?.gpu_vendor], [["image", "text"], "amd"]);
  const odd = await runInMemory(["cap", "find", "--modality", "smell"], { node });
  assert.match(odd.stderr, /--modality: value is "smell", must be one of text, image/);
});

Deno.test("cap find refuses what is meant as a comparison and would be a tag", async () => {
  const node = { "cap.find": { nodes: [], total: 0, omitted: 0, version: 5 } };
  for (
    const [word, next] of [
      ["hardware.memory_gb>32", "write 'hardware.memory_gb>=32'"],
      ["hardware.memory_gb=<32", "write 'hardware.memory_gb<=32'"],
      ["software.os!=linux", "write --where 'software.os!=linux'"],
      ["", "write a tag such as gpu"],
    ] as const
  ) {
    const { code, stderr, calls } = await runInMemory(["cap", "find", word], { node });
    assert.equal(code, 2, word);
    assert.ok(stderr.includes(`Cannot ask for "${word}"`) && stderr.includes(next), stderr);
    assert.equal(calls.length, 0);
  }
  for (const word of ["a<=1", "a>=1", "a==1", "a=1", "scope:x", "a->b c>d"]) {
    assert.equal((await runInMemory(["cap", "find", word], { node })).code, 4, word);
  }
});

Deno.test("findText() shows who is away, and tags that people gave", () => {
  const row = { ...FOUND, stale: false, reachable: false, tags: ["channel:00ff", "gpu", "net.x"] };
  assert.match(findText({ nodes: [row] }), /^00000000000000aa +away +2 +1\.50ms +gpu$/m);
});

Deno.test("cap watch tells who came, changed and went", async () => {
  const answers = [
    { nodes: [FOUND], version: 1 },
    { nodes: [{ ...FOUND, tags: ["gpu", "more"] }], version: 2 },
    { nodes: [{ ...FOUND, tags: ["gpu", "more"], rtt_ms: 9 }], version: 3 },
    { nodes: [], version: 4 },
    // A list that is cut says nothing of what lies behind its end.
    { nodes: [FOUND], version: 5 },
    { nodes: [{ ...FOUND, node_id: "0000000000000001" }], omitted: 1, version: 6 },
  ];
  let at = 0;
  const { stdout, code } = await runInMemory(["cap", "watch", "gpu", "--json"], {
    node: {
      "cap.find": () => {
        const answer = answers[at++];
        // The node went away.
        if (answer === undefined) throw new Error("connection lost");
        return answer;
      },
    },
  });
  assert.equal(code, 1);
  const changes = stdout.trim().split("\n").map((line) => JSON.parse(line).change);
  assert.deepEqual(changes, ["came", "changed", "went", "came", "came"]);
});

Deno.test("cap watch ends when nobody reads it any more, though nothing changes", async () => {
  let asked = 0;
  const { code, stderr, openCount } = await runInMemory(["cap", "watch", "gpu"], {
    node: {
      "cap.find": () =>
        asked++ === 0 ? { nodes: [FOUND], version: 1 } : new Promise((_, reject) => {
          setTimeout(() => reject(new Error("the connection was closed")), 1_000);
        }),
    },
    isOutGone: () => true,
  });
  assert.deepEqual([code, stderr, openCount], [0, "", 0]);
});

Deno.test("cap explain shows each condition and exits with 4 when one does not hold", async () => {
  const answer = {
    node_id: "00000000000000aa",
    stale: false,
    matches: false,
    conditions: [],
    lines: ["yes  gpu   gpu", "no   any of 1"],
  };
  const { code, stdout, calls } = await runInMemory(
    ["cap", "explain", "00aa", "gpu", "--where", "a || b", "--redact", "owner"],
    { node: { "cap.explain": answer } },
  );
  assert.equal(code, 4);
  assert.equal(calls[0]?.params.node, "00aa");
  assert.deepEqual(calls[0]?.params.required, ["gpu"]);
  assert.deepEqual(calls[0]?.params.redact, ["owner"]);
  assert.equal(
    stdout,
    "00000000000000aa does not match\n  yes  gpu   gpu\n  no   any of 1\n",
  );
  assert.equal((await runInMemory(["cap", "explain"], { node: {} })).code, 2);
});
