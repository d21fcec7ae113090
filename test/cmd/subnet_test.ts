/** Verbs about subnets and the gateway between them. */
import assert from "node:assert/strict";
import { runInMemory } from "./_harness.ts";

const SUBNETS = [
  { subnet: "global", depth: 0, parent: null, is_local: false, member_count: 0, members: [] },
  {
    subnet: "1",
    depth: 1,
    parent: "global",
    is_local: true,
    member_count: 4,
    members: ["a", "b", "c", "d"],
  },
];
const STATS = {
  gateway_installed: true,
  local_subnet: "1",
  forwarded: 1234,
  dropped: 7,
  drops: { subnet_local: 7, ttl_expired: 0 },
  peer_subnet_count: 2,
  peer_subnets: ["1", "2"],
  export_rules: 3,
};

async function text(args: readonly string[], method: string, answer: object): Promise<string> {
  const { code, stdout } = await runInMemory(args, { node: { [method]: answer } });
  assert.equal(code, 0);
  return stdout;
}

Deno.test("subnet show says where the node is and why", async () => {
  const shown = await text(["subnet", "show"], "subnet.show", {
    local_subnet: "1.2",
    depth: 2,
    source: "tags",
    known_peer_count: 3,
    is_gateway: false,
  });
  assert.equal(
    shown,
    "subnet       1.2\ndepth        2\nfrom         its tags\npeers known  3\ngateway      no\n",
  );
});

Deno.test("subnet show says where others look for the node, when that is elsewhere", async () => {
  const answer = {
    local_subnet: "9",
    depth: 1,
    source: "given",
    by_tags: "global",
    known_peer_count: 0,
    is_gateway: false,
  };
  const { stdout, stderr } = await runInMemory(["subnet", "show"], {
    node: { "subnet.show": answer },
  });
  assert.match(stdout, /^others see +global$/m);
  assert.match(stderr, /^others go by tags and take this node to be in global/);
  assert.doesNotMatch(
    await text(["subnet", "show"], "subnet.show", { ...answer, by_tags: "9" }),
    /others/,
  );
});

Deno.test("subnet ls and tree show members", async () => {
  const list = await text(["subnet", "ls"], "subnet.ls", { subnets: SUBNETS });
  assert.equal(
    list,
    "SUBNET  MEMBERS  LOCAL  NODES\nglobal        0  no\n1             4  yes    a b c …\n",
  );
  const tree = await text(["subnet", "tree"], "subnet.tree", { subnets: SUBNETS });
  assert.equal(tree, "global\n  1  4 nodes, here\n");
});

Deno.test("subnet policy shows rules, or that there are none", async () => {
  const rules = [{ tag_prefix: "region:", level: 0, values: { eu: 1, us: 2 } }];
  assert.equal(
    await text(["subnet", "policy"], "subnet.policy", { rules }),
    "LEVEL  PREFIX   VALUES\n0      region:  eu=1 us=2\n",
  );
  assert.match(await text(["subnet", "policy"], "subnet.policy", { rules: [] }), /^no rules/);
});

Deno.test("gateway stats shows reasons that happened", async () => {
  const shown = await text(["gateway", "stats"], "gateway.stats", STATS);
  assert.match(shown, /forwarded +1,234\n/);
  assert.match(shown, /channel is subnet-local +7\n/);
  assert.doesNotMatch(shown, /TTL/);
  const none = await text(["gateway", "stats"], "gateway.stats", { gateway_installed: false });
  assert.match(none, /is no gateway/);
});

Deno.test("gateway exports lists channels", async () => {
  const exports = [{
    channel_hash: "00000000000000ff",
    channel: "",
    visibility: null,
    target_count: 2,
    targets: ["1", "2.3"],
  }];
  for (const verb of ["exports", "ls"]) {
    assert.equal(
      await text(["gateway", verb], "gateway.exports", { exports }),
      "CHANNEL  HASH              VISIBILITY  SUBNETS\n" +
        "-        00000000000000ff  unknown     1 2.3\n",
    );
  }
  assert.equal(
    await text(["gateway", "exports"], "gateway.exports", { exports: [] }),
    "no exports\n",
  );
});

Deno.test("gateway export and unexport take a channel and subnets", async () => {
  const node = {
    "gateway.export": { targets: ["1", "2"], visibility: "exported" },
    "gateway.unexport": { targets: [] },
  };
  const exported = await runInMemory(["gateway", "export", "room", "1", "2"], { node });
  assert.deepEqual(exported.calls, [
    { method: "gateway.export", params: { channel: "room", targets: ["1", "2"] } },
  ]);
  assert.equal(exported.stdout, "room is exported to 1, 2\n");
  assert.equal(exported.stderr, "");
  const ended = await runInMemory(["gateway", "unexport", "room"], { node });
  assert.deepEqual(ended.calls[0]?.params, { channel: "room", targets: [] });
  assert.equal(ended.stdout, "room is no longer exported\n");
  for (const args of [["gateway", "export", "room"], ["gateway", "unexport"]]) {
    assert.equal((await runInMemory(args, { node })).code, 2);
  }
});

Deno.test("gateway export warns about channels that the table does not count for", async () => {
  for (
    const [visibility, expected] of [[null, /not known here/], ["global", /the visibility global/]]
  ) {
    const { stderr } = await runInMemory(["gateway", "export", "room", "1"], {
      node: { "gateway.export": { targets: ["1"], visibility } },
    });
    assert.match(stderr, expected as RegExp);
  }
});
