/** What strangers say in another's name, or twice, or in excess, against a whole node over a real session. */
import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/mod.ts";
import {
  type Announcement,
  encodeAnnouncement,
  localAnnouncement,
  signAnnouncement,
  SUBPROTOCOL_ANNOUNCEMENT,
} from "../../../src/core/capability/mod.ts";
import { createIdentity } from "../../../src/core/crypto/mod.ts";
import { type AnnouncingNode, startAnnouncingNode } from "../../interop/announcement_node.ts";
import { type CapableNode, PSK, startCapableNode, until } from "./capability_kit.ts";

const STREAM_ID = BigInt(SUBPROTOCOL_ANNOUNCEMENT);
const victim = createIdentity(new Uint8Array(32).fill(7));

async function connect(stranger: AnnouncingNode, node: CapableNode): Promise<void> {
  const { nodeId, mesh, keys } = node;
  const [address] = mesh.addresses();
  assert.ok(address);
  const noisePublicKey = keys.noise.publicKey;
  await stranger.transport.dial(
    { nodeId, noisePublicKey, addresses: [address], form: "routed" },
    3000,
  );
}

function victimSays(tags: readonly string[], version: bigint): Announcement {
  return localAnnouncement({ identity: victim, tags, version, wallMs: Number(version) });
}

Deno.test("a forged announcement changes nothing and is counted", async (t) => {
  await using node = await startCapableNode();
  await using stranger = startAnnouncingNode(PSK);
  await connect(stranger, node);
  const { capabilities } = node;
  const tagsOf = (nodeId: bigint) => capabilities.get(nodeId)?.capabilities.tags;
  const send = (announcement: Announcement | string) => {
    const bytes = typeof announcement === "string"
      ? utf8(announcement)
      : encodeAnnouncement(announcement);
    stranger.transport.sendMessage(node.nodeId, SUBPROTOCOL_ANNOUNCEMENT, STREAM_ID, bytes);
  };
  // The node's own may be renewed at any moment.
  const others = () =>
    [...capabilities.values()].filter(({ nodeId }) => nodeId !== node.nodeId)
      .map((one) => [one.nodeId, one.version, one.capabilities]);
  const counted = async (reason: string, announcement: Announcement | string) => {
    const name = `net_announcements_drop_${reason}_total`;
    const before = node.counters()[name] ?? NaN;
    const known = others();
    send(announcement);
    await until(`${reason} is counted`, () => node.counters()[name] === before + 1);
    assert.deepEqual(others(), known);
  };

  send(stranger.announcement(["mine"]));
  await until("the stranger is known", () => tagsOf(stranger.nodeId) !== undefined);
  send({ ...victimSays(["real"], 5_000n), hopCount: 1 });
  await until("the victim is known", () => tagsOf(victim.nodeId) !== undefined);
  const newer = victimSays(["forged"], 9_000n);

  await t.step("as if from its origin, by somebody else", () => counted("not_origin", newer));
  await t.step("another's node id under a valid signature of one's own", async () => {
    const claim = { ...newer, entityId: stranger.identity.entityId };
    await counted("entity_conflict", {
      ...signAnnouncement(claim, stranger.identity),
      hopCount: 1,
    });
    const fresh = { ...claim, nodeId: 12345n };
    await counted("identity", { ...signAnnouncement(fresh, stranger.identity), hopCount: 1 });
  });
  await t.step("a signature of something else", async () => {
    const capabilities = { ...newer.capabilities, tags: ["changed"] };
    await counted("signature", { ...newer, capabilities, hopCount: 1 });
  });
  await t.step(
    "no signature",
    () => counted("unsigned", { ...newer, signature: undefined, hopCount: 1 }),
  );
  await t.step("an older version, and the same again", async () => {
    await counted("stale", { ...victimSays(["old"], 4_000n), hopCount: 1 });
    await counted("duplicate", { ...victimSays(["real"], 5_000n), hopCount: 2 });
  });
  await t.step("an allow-list that is too long", async () => {
    const allowedNodes = Array.from({ length: 65 }, (_, i) => BigInt(i));
    const long = signAnnouncement({ ...newer, allowedNodes }, victim);
    await counted("allow_list", { ...long, hopCount: 1 });
  });
  await t.step("no announcement at all", async () => {
    await counted("malformed", '{"node_id":1,');
    await counted("missing_member", '{"node_id":1}');
  });
  await t.step("metadata that would steer is passed on but not believed", async () => {
    const metadata = [["intent", "mine"], ["owner", "me"], ["plain", "yes"]] as const;
    send(stranger.announcement(["steering"], { metadata }));
    await until("it is taken", () => tagsOf(stranger.nodeId)?.[0] === "steering");
    const known = capabilities.known(stranger.nodeId);
    assert.equal(known?.announcement.capabilities.metadata.get("intent"), "mine");
    assert.deepEqual([...known?.set.metadata ?? []], [["plain", "yes"]]);
  });
});
