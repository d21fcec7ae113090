/** What packet headers say of subnets, and the gate that reads it where packets are relayed. */
import assert from "node:assert/strict";
import { channelPublishStreamId } from "../../../src/core/crypto/mod.ts";
import { GateVerdict } from "../../../src/core/transport/mod.ts";
import { PacketHeader, readHeader } from "../../../src/core/transport/wire/header.ts";
import { ROUTING_HEADER_BYTES } from "../../../src/core/transport/wire/routing_header.ts";
import { type KitNode, MeshKit } from "../../sim/mesh_kit.ts";

const HASH = 0x1122_3344_5566_7788n;
const STREAM = channelPublishStreamId(HASH);
const LABEL = { channelHash: 0x7788, priority: 0, originHash: 5n };
/** Sent by the core and by us towards it. */
const NOT_SET = { subnetId: 0, hopTtl: 0, hopCount: 0 };

/** Headers of the packets that arrive at `to`, routed ones without their routing header. */
function watch(kit: MeshKit, from: KitNode, to: KitNode): PacketHeader[] {
  const headers: PacketHeader[] = [];
  kit.network.filter = (bytes, source, target) => {
    if (source.host !== from.address.host || target.host !== to.address.host) return true;
    const at = bytes[0] === 0x52 ? ROUTING_HEADER_BYTES : 0;
    if (bytes[at] !== 0x45) return true;
    const header = new PacketHeader();
    readHeader(new DataView(bytes.buffer, bytes.byteOffset), at, header);
    headers.push(header);
    return true;
  };
  return headers;
}

function pick({ subnetId, hopTtl, hopCount }: PacketHeader) {
  return { subnetId, hopTtl, hopCount };
}

function takes(node: KitNode, peer: KitNode, takesSubnetHeader: boolean): void {
  node.transport.setPeerFeatures(peer.nodeId, { takesAckRanges: false, takesSubnetHeader });
}

Deno.test("setSubnet() is told to peers that understand it, in every packet, and to nobody else", async () => {
  using kit = new MeshKit();
  const [from, to] = [kit.node(1), kit.node(2)];
  from.transport.setSubnet(0x01020000);
  await kit.connect(from, to);
  for (const takesSubnetHeader of [false, true]) {
    const headers = watch(kit, from, to);
    takes(from, to, takesSubnetHeader);
    from.transport.sendMessage(to.nodeId, 0x2222, 9n, Uint8Array.of(1));
    const stream = from.transport.openSendStream(to.nodeId, 7n, { isReliable: false });
    assert.ok(stream.trySend(Uint8Array.of(2)));
    await kit.clock.advance(6_000);
    assert.ok(headers.some(({ subprotocol }) => subprotocol === 0x2222));
    assert.ok(headers.some(({ streamLow }) => streamLow === 7));
    assert.ok(headers.some(({ flags }) => (flags & 0x20) !== 0), "a heartbeat");
    const expected = takesSubnetHeader ? { subnetId: 0x01020000, hopTtl: 8, hopCount: 0 } : NOT_SET;
    for (const header of headers) assert.deepEqual(pick(header), expected);
  }
});

Deno.test("setPeerFeatures() leaves the subnet header off when it is not mentioned", async () => {
  using kit = new MeshKit();
  const [from, to] = [kit.node(1), kit.node(2)];
  from.transport.setSubnet(0x01020000);
  await kit.connect(from, to);
  takes(from, to, true);
  from.transport.setPeerFeatures(to.nodeId, { takesAckRanges: true });
  const headers = watch(kit, from, to);
  from.transport.sendMessage(to.nodeId, 0x2222, 9n, Uint8Array.of(1));
  assert.deepEqual(headers.map(pick), [NOT_SET]);
});

for (const isSealing of [true, false]) {
  const title = isSealing ? "a sealed session" : "a compat session";
  Deno.test(`setRelayGate() judges what is published over ${title}, and nothing else`, async () => {
    using kit = new MeshKit();
    const options = { isSealing };
    const [left, middle, right] = [
      kit.node(1, options),
      kit.node(2, options),
      kit.node(3, options),
    ];
    const judged: PacketHeader[] = [];
    let verdict: GateVerdict = GateVerdict.Pass;
    middle.transport.setRelayGate({
      judge: ({ header, senderLow, senderHigh, destinationLow, destinationHigh }) => {
        judged.push({ ...header });
        assert.equal(BigInt(senderHigh) << 32n | BigInt(senderLow), left.nodeId);
        assert.equal(BigInt(destinationHigh) << 32n | BigInt(destinationLow), right.nodeId);
        return verdict;
      },
    });
    await kit.connect(left, middle);
    await kit.connect(right, middle);
    await kit.connect(left, right, middle);
    await kit.clock.advance(10_000);
    assert.equal(judged.length, 0, "handshakes, proofs, heartbeats and control pass unseen");
    takes(left, right, true);
    left.transport.setSubnet(3);

    const received: number[] = [];
    right.transport.openReceiveStream(left.nodeId, STREAM, {
      onEvent: (_, event) => void received.push(event[0] ?? -1),
      onEnd: () => {},
    });
    const stream = left.transport.openSendStream(right.nodeId, STREAM, {
      isReliable: false,
      label: LABEL,
    });
    const arriving = watch(kit, middle, right);
    const verdicts = [GateVerdict.Pass, GateVerdict.Forward, GateVerdict.Drop, GateVerdict.Pass];
    for (const [index, next] of verdicts.entries()) {
      verdict = next;
      assert.ok(stream.trySend(Uint8Array.of(index)));
      await kit.clock.advance(100);
    }
    assert.deepEqual(received, [0, 1, 3], "what was counted still opens");
    const isPublished = ({ channelHash }: PacketHeader) => channelHash === LABEL.channelHash;
    assert.deepEqual(arriving.filter(isPublished).map(({ hopCount }) => hopCount), [0, 1, 0]);
    assert.equal(judged.length, 4);
    assert.deepEqual(judged.map(pick), Array(4).fill({ subnetId: 3, hopTtl: 8, hopCount: 0 }));
    assert.equal(middle.transport.counters.drop_relay_gate_total, 1);

    middle.transport.setRelayGate(undefined);
    assert.ok(stream.trySend(Uint8Array.of(4)));
    await kit.clock.advance(100);
    assert.deepEqual(received, [0, 1, 3, 4]);
    assert.equal(judged.length, 4);
  });
}
