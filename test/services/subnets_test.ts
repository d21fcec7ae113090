import assert from "node:assert/strict";
import { parseSubnetId } from "../../src/base/mod.ts";
import { startSubnets } from "./subnet_kit.ts";

const at = (text: string) => parseSubnetId(text) ?? NaN;
const SUBNET_TAGS = [`subnet:${"0a".repeat(16)}`, `subnet:${"0b".repeat(16)}`];

Deno.test("SubnetService tells packets the subnet that was given, or that its tags give", async () => {
  await using given = await startSubnets({ subnet: at("1.2"), ownTags: ["r:us"] });
  assert.deepEqual(given.told, [at("1.2")]);
  given.announce(1, ["r:eu"]);
  assert.equal(given.subnets.local, at("1.2"));
  assert.ok(given.subnets.isGiven);

  await using tagged = await startSubnets({ ownTags: ["r:us"] });
  assert.equal(tagged.subnets.local, at("2"));
  tagged.announce(1, ["r:us", "s:lab"]);
  assert.equal(tagged.subnets.local, at("2.2"));
  assert.deepEqual(tagged.told, [at("2"), at("2.2")]);
  assert.equal(tagged.subnets.subnetOf(tagged.nodeId(1)), at("2.2"));
});

Deno.test("SubnetService knows peers by their own word, until that no longer holds", async () => {
  await using kit = await startSubnets({ subnet: at("1") });
  assert.equal(kit.subnets.subnetOf(kit.nodeId(2)), undefined);
  kit.announce(2, ["r:eu"], { isDirect: false });
  assert.equal(kit.subnets.subnetOf(kit.nodeId(2)), undefined);
  kit.announce(2, ["r:eu"]);
  kit.announce(3, []);
  assert.equal(kit.subnets.subnetOf(kit.nodeId(2)), at("1"));
  assert.deepEqual(kit.subnets.members(), [
    { subnet: 0, members: [kit.nodeId(3)] },
    { subnet: at("1"), members: [kit.nodeId(1), kit.nodeId(2)].sort((a, b) => a < b ? -1 : 1) },
  ]);
  kit.end(2);
  assert.equal(kit.subnets.subnetOf(kit.nodeId(2)), undefined);
});

Deno.test("isVisible() goes by subnets and export table", async () => {
  await using kit = await startSubnets({ subnet: at("1.2") });
  kit.announce(2, ["r:eu"]);
  kit.announce(3, ["r:us"]);
  const [parent, other, unknown] = [kit.nodeId(2), kit.nodeId(3), kit.nodeId(4)];
  const { subnets } = kit;
  assert.ok(subnets.isVisible("parent-visible", parent, 5n));
  assert.ok(!subnets.isVisible("parent-visible", other, 5n));
  assert.ok(!subnets.isVisible("subnet-local", unknown, 5n));
  assert.ok(!subnets.isVisible("exported", other, 5n));
  await subnets.addExport({ hash: 5n, name: "", target: at("2") });
  assert.ok(subnets.isVisible("exported", other, 5n));
  assert.ok(!subnets.isVisible("exported", parent, 5n));
  assert.ok(!subnets.isVisible("exported", unknown, 5n));
});

Deno.test("addExport() and removeExport() last over restarts", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/net.db`;
  try {
    {
      await using kit = await startSubnets({ path });
      assert.ok(await kit.subnets.addExport({ hash: 5n, name: "a", target: at("2") }));
      assert.ok(!await kit.subnets.addExport({ hash: 5n, name: "a", target: at("2") }));
      assert.ok(await kit.subnets.addExport({ hash: 5n, name: "a", target: at("3") }));
      assert.ok(await kit.subnets.addExport({ hash: 6n, name: "", target: at("3") }));
      assert.ok(await kit.subnets.removeExport(5n, at("3")));
      assert.ok(await kit.subnets.removeExport(6n));
      assert.ok(!await kit.subnets.removeExport(6n));
    }
    await using kit = await startSubnets({ path });
    assert.deepEqual(kit.subnets.exports(), [{ hash: 5n, name: "a", targets: [at("2")] }]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("SubnetService stands in the gate of a gateway only", async () => {
  await using plain = await startSubnets();
  assert.equal(plain.gate(), undefined);
  assert.equal(plain.counters().net_gateway_forwarded_total, undefined);
  await using gateway = await startSubnets({ isGateway: true });
  assert.equal(gateway.gate(), gateway.subnets.gateway);
  assert.equal(gateway.counters().net_gateway_forwarded_total, 0);
  assert.equal(gateway.subnets.visibilityOf(5n), undefined);
  gateway.subnets.useChannels(() => [{ hash: 5n, visibility: "global" }]);
  assert.equal(gateway.subnets.visibilityOf(5n), "global");
});

Deno.test("SubnetService counts announcements with several subnet tags, each once", async () => {
  await using kit = await startSubnets();
  const count = () => kit.counters().net_subnet_parse_collapsed_multi_tag;
  kit.announce(2, SUBNET_TAGS.slice(0, 1));
  assert.equal(count(), 0);
  kit.announce(2, SUBNET_TAGS, { version: 2n, isDirect: false });
  kit.announce(2, SUBNET_TAGS, { version: 2n });
  assert.equal(count(), 1);
  kit.announce(2, SUBNET_TAGS, { version: 3n });
  kit.announce(3, SUBNET_TAGS);
  assert.equal(count(), 3);
});
