import assert from "node:assert/strict";
import { NetError, parseSubnetId } from "../../../src/base/mod.ts";
import { subnetMethods } from "../../../src/control/node/subnet_methods.ts";
import { MethodTable } from "../../../src/control/mod.ts";
import { deriveChannelHash } from "../../../src/core/crypto/mod.ts";
import { startSubnets, type SubnetKitOptions } from "../../services/subnet_kit.ts";

const at = (text: string) => parseSubnetId(text) ?? NaN;

async function withMethods(options: SubnetKitOptions = {}) {
  const kit = await startSubnets(options);
  const table = new MethodTable();
  table.register(...subnetMethods(kit));
  const call = async (name: string, params: Record<string, unknown> = {}) =>
    await table.lookup(name)?.call(params, {
      transport: "unix",
      signal: new AbortController().signal,
      progress: () => {},
      send: () => Promise.resolve(),
    });
  return { kit, call, [Symbol.asyncDispose]: () => kit[Symbol.asyncDispose]() };
}

Deno.test("subnet.show, ls, tree and policy tell where everybody is", async () => {
  await using node = await withMethods({ subnet: at("1.2"), isGateway: true });
  const { kit, call } = node;
  kit.announce(2, ["r:us", "s:lab"]);
  assert.deepEqual(await call("subnet.show"), {
    local_subnet: "1.2",
    depth: 2,
    source: "given",
    by_tags: "global",
    known_peer_count: 1,
    is_gateway: true,
  });
  const hex = (number: number) => kit.nodeId(number).toString(16).padStart(16, "0");
  assert.deepEqual(await call("subnet.ls"), {
    subnets: [
      { subnet: "1.2", depth: 2, is_local: true, member_count: 1, members: [hex(1)] },
      { subnet: "2.2", depth: 2, is_local: false, member_count: 1, members: [hex(2)] },
    ],
  });
  assert.deepEqual(await call("subnet.tree"), {
    subnets: [
      { subnet: "global", depth: 0, parent: null, is_local: false, member_count: 0 },
      { subnet: "1", depth: 1, parent: "global", is_local: false, member_count: 0 },
      { subnet: "1.2", depth: 2, parent: "1", is_local: true, member_count: 1 },
      { subnet: "2", depth: 1, parent: "global", is_local: false, member_count: 0 },
      { subnet: "2.2", depth: 2, parent: "2", is_local: false, member_count: 1 },
    ],
  });
  assert.deepEqual(await call("subnet.policy"), {
    rules: [
      { tag_prefix: "r:", level: 0, values: { eu: 1, us: 2 } },
      { tag_prefix: "s:", level: 1, values: { lab: 2 } },
    ],
  });
});

Deno.test("gateway.export and unexport edit the table that gateway.exports shows", async () => {
  await using node = await withMethods({ isGateway: true });
  const { kit, call } = node;
  const hash = deriveChannelHash("room/lobby");
  const hex = hash.toString(16).padStart(16, "0");
  kit.subnets.useChannels(() => [{ hash, visibility: "exported" }]);
  assert.deepEqual(await call("gateway.export", { channel: "room/lobby", targets: ["2", "1.3"] }), {
    channel_hash: hex,
    channel: "room/lobby",
    added: 2,
    targets: ["1.3", "2"],
    visibility: "exported",
    gateway_installed: true,
  });
  await call("gateway.export", { channel: "hash:00000000000000ff", targets: ["global"] });
  assert.deepEqual(await call("gateway.exports"), {
    exports: [
      {
        channel_hash: "00000000000000ff",
        channel: "",
        visibility: null,
        target_count: 1,
        targets: ["global"],
      },
      {
        channel_hash: hex,
        channel: "room/lobby",
        visibility: "exported",
        target_count: 2,
        targets: ["1.3", "2"],
      },
    ],
  });
  await call("gateway.unexport", { channel: `hash:${hex}`, targets: ["2"] });
  assert.deepEqual(kit.subnets.exports().at(-1)?.targets, [at("1.3")]);
  await call("gateway.unexport", { channel: "room/lobby" });
  assert.equal(kit.subnets.exports().length, 1);
});

Deno.test("gateway.export and unexport refuse what makes no sense", async () => {
  await using node = await withMethods();
  const { call } = node;
  const cases = [
    ["gateway.export", { channel: "Room", targets: ["1"] }, "usage"],
    ["gateway.export", { channel: "hash:12", targets: ["1"] }, "usage"],
    ["gateway.export", { channel: "room", targets: ["1.0"] }, "usage"],
    ["gateway.export", { channel: "room", targets: [] }, "usage"],
    ["gateway.unexport", { channel: "room" }, "not_found"],
    ["gateway.unexport", { channel: "room", targets: ["1"] }, "not_found"],
  ] as const;
  for (const [name, params, code] of cases) {
    await assert.rejects(
      call(name, params),
      (error) => error instanceof NetError && error.code === code,
      JSON.stringify(params),
    );
  }
});

Deno.test("gateway.stats counts by reason", async () => {
  await using plain = await withMethods();
  assert.deepEqual(await plain.call("gateway.stats"), {
    gateway_installed: false,
    local_subnet: "global",
    forwarded: 0,
    dropped: 0,
    drops: {},
    peer_subnet_count: 1,
    peer_subnets: ["global"],
    export_rules: 0,
  });
  await using node = await withMethods({ isGateway: true, subnet: at("1") });
  const { gateway } = node.kit.subnets;
  if (gateway !== undefined) {
    gateway.counters.forwarded_total = 3;
    gateway.counters.drop_not_exported_total = 2;
  }
  assert.deepEqual(await node.call("gateway.stats"), {
    gateway_installed: true,
    local_subnet: "1",
    forwarded: 3,
    dropped: 2,
    drops: {
      ttl_expired: 0,
      subnet_local: 0,
      not_ancestor: 0,
      not_exported: 2,
      unknown_subnet: 0,
    },
    peer_subnet_count: 1,
    peer_subnets: ["1"],
    export_rules: 0,
  });
});
