import assert from "node:assert/strict";
import { highHalf, lowHalf, parseSubnetId } from "../../../src/base/mod.ts";
import {
  ExportTable,
  type GatedChannel,
  Gateway,
  SubnetAssignments,
} from "../../../src/channel/subnet/mod.ts";
import { channelPublishStreamId } from "../../../src/core/crypto/mod.ts";
import { GatedPacket, GateVerdict } from "../../../src/core/transport/routing/relay_gate.ts";

const at = (text: string) => parseSubnetId(text) ?? NaN;
const HASH = 0x1122_3344_5566_7788n;
/** A node in each of two subnets, and one nobody knows. */
const [EAST, WEST, NOBODY] = [0x10_0000_0001n, 0x20_0000_0002n, 0x30_0000_0003n];

class Kit {
  readonly channels: GatedChannel[] = [];
  readonly exports = new ExportTable();
  readonly gateway: Gateway;

  constructor(...channels: readonly GatedChannel[]) {
    this.channels.push(...channels);
    const policy = [{ tagPrefix: "s:", level: 0, values: new Map([["e", 1], ["w", 2]]) }];
    const assignments = new SubnetAssignments(policy);
    assignments.onDirectAnnouncement(EAST, ["s:e"]);
    assignments.onDirectAnnouncement(WEST, ["s:w"]);
    const { exports } = this;
    this.gateway = new Gateway({ assignments, exports, channels: () => this.channels });
  }

  judge(more: PacketParts = {}) {
    return this.gateway.judge(packet(more));
  }
}

interface PacketParts {
  readonly hash?: bigint;
  readonly wireHash?: number;
  readonly streamId?: bigint;
  readonly subnet?: number;
  readonly sender?: bigint;
  readonly destination?: bigint;
  readonly hopTtl?: number;
  readonly hopCount?: number;
}

/** From subnet 1 to the node in subnet 2 when nothing else is said. */
function packet({ hash = HASH, sender = 0n, destination = WEST, ...more }: PacketParts) {
  const made = new GatedPacket();
  const { header } = made;
  const streamId = more.streamId ?? channelPublishStreamId(hash);
  header.channelHash = more.wireHash ?? lowHalf(hash) & 0xffff;
  header.streamLow = lowHalf(streamId);
  header.streamHigh = highHalf(streamId);
  header.subnetId = more.subnet ?? at("1");
  header.hopTtl = more.hopTtl ?? 8;
  header.hopCount = more.hopCount ?? 0;
  made.senderLow = lowHalf(sender);
  made.senderHigh = highHalf(sender);
  made.destinationLow = lowHalf(destination);
  made.destinationHigh = highHalf(destination);
  return made;
}

Deno.test("Gateway decides on channels that leave their subnet, and on nothing else", () => {
  const kit = new Kit({ hash: HASH, visibility: "subnet-local" });
  assert.equal(kit.judge(), GateVerdict.Drop);
  assert.equal(kit.judge({ destination: EAST }), GateVerdict.Pass, "within one subnet");
  assert.equal(kit.judge({ streamId: 7n }), GateVerdict.Pass, "a stream");
  assert.equal(kit.judge({ streamId: 7n, wireHash: 0 }), GateVerdict.Pass, "a stream");
  assert.equal(kit.judge({ streamId: 1n << 48n, wireHash: 0 }), GateVerdict.Pass, "no channel");
  assert.equal(kit.gateway.counters.drop_subnet_local_total, 1);
  assert.equal(kit.gateway.droppedTotal, 1);
});

Deno.test("Gateway forwards by reach and export table, as they are after refresh()", () => {
  const kit = new Kit({ hash: HASH, visibility: "exported" });
  assert.equal(kit.judge(), GateVerdict.Drop);
  kit.exports.add({ hash: HASH, name: "", target: at("2") });
  kit.gateway.refresh();
  assert.equal(kit.judge(), GateVerdict.Forward);
  assert.equal(kit.judge({ subnet: at("3"), destination: EAST }), GateVerdict.Drop);
  kit.channels[0] = { hash: HASH, visibility: "global" };
  kit.gateway.refresh();
  assert.equal(kit.judge({ destination: NOBODY }), GateVerdict.Forward);
  assert.deepEqual(kit.gateway.counters, {
    forwarded_total: 2,
    drop_ttl_expired_total: 0,
    drop_subnet_local_total: 0,
    drop_not_ancestor_total: 0,
    drop_not_exported_total: 2,
    drop_unknown_subnet_total: 0,
  });
});

Deno.test("Gateway treats channels it does not know as local to their subnet", () => {
  const kit = new Kit({ hash: HASH ^ (1n << 40n), visibility: "global" });
  assert.equal(kit.judge(), GateVerdict.Drop, "another name with the same 16 bits");
  // Hashes that differ in bit 48 alone share a stream: nobody can tell which one it is.
  const twins = new Kit(
    { hash: HASH, visibility: "global" },
    { hash: HASH ^ (1n << 48n), visibility: "global" },
  );
  assert.equal(twins.judge(), GateVerdict.Drop);
  assert.equal(twins.gateway.counters.drop_subnet_local_total, 1);
});

Deno.test("Gateway tells channels that share the 16 bits of the header apart", () => {
  const other = HASH ^ (1n << 40n);
  const kit = new Kit({ hash: HASH, visibility: "global" }, {
    hash: other,
    visibility: "subnet-local",
  });
  assert.equal(kit.judge(), GateVerdict.Forward);
  assert.equal(kit.judge({ hash: other }), GateVerdict.Drop);
});

Deno.test("Gateway knows a channel whose 16 bits are 0 by its whole hash", () => {
  const hash = 0x7777_0000_1234_0000n;
  assert.equal(new Kit().judge({ hash }), GateVerdict.Pass);
  const kit = new Kit({ hash, visibility: "subnet-local" });
  assert.equal(kit.judge({ hash }), GateVerdict.Drop);
});

Deno.test("Gateway takes the subnet of a sender that sets no header from its announcement", () => {
  const kit = new Kit({ hash: HASH, visibility: "subnet-local" });
  const legacy = { subnet: 0, hopTtl: 0 };
  assert.equal(kit.judge({ ...legacy, sender: EAST, destination: EAST }), GateVerdict.Pass);
  assert.equal(kit.judge({ ...legacy, sender: EAST }), GateVerdict.Drop);
  assert.equal(kit.judge({ ...legacy, sender: NOBODY, destination: EAST }), GateVerdict.Drop);
  // Who sets the hop limit says that it is in the global subnet.
  assert.equal(kit.judge({ subnet: 0, sender: EAST, destination: EAST }), GateVerdict.Drop);
});

Deno.test("Gateway counts by reason", () => {
  const kit = new Kit({ hash: HASH, visibility: "parent-visible" });
  kit.judge({ hopTtl: 2, hopCount: 2 });
  kit.judge();
  kit.judge({ destination: NOBODY });
  kit.judge({ subnet: at("2.4"), hopTtl: 0 });
  assert.deepEqual(kit.gateway.counters, {
    forwarded_total: 1,
    drop_ttl_expired_total: 1,
    drop_subnet_local_total: 0,
    drop_not_ancestor_total: 1,
    drop_not_exported_total: 0,
    drop_unknown_subnet_total: 1,
  });
});
