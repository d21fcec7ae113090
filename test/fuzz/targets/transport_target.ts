/**
 * Whole datagrams against a live transport: real ones with changes, and packets with changed headers and
 * contents that are sealed with the session's right keys, so that what lies behind the tag is reached.
 *
 * The keys come from listening to a compat handshake, as any member of the mesh could (`wire.md` 4.3).
 */

import assert from "node:assert/strict";
import {
  createIdentity,
  createNoiseKeyPair,
  createPacketCipher,
  createResetTagger,
  deriveSessionKeys,
  type PacketCipher,
} from "../../../src/core/crypto/mod.ts";
import { encodeEvents } from "../../../src/core/transport/wire/event_frame.ts";
import {
  FLAG_HEARTBEAT,
  FLAG_RELIABLE,
  HEADER_BYTES,
  MAX_PAYLOAD,
  PacketHeader,
  TAG_BYTES,
  writeHeader,
} from "../../../src/core/transport/wire/header.ts";
import { checkCounters, MeshTransport } from "../../../src/core/transport/mod.ts";
import { silentLog } from "../../../src/observe/mod.ts";
import { observeHandshake } from "../../core/transport/observer.ts";
import { HeapClock } from "../../sim/heap_clock.ts";
import { MemoryNetwork } from "../../sim/memory_network.ts";
import type { CreateTarget, FuzzTarget } from "../fuzz.ts";
import { FuzzRandom } from "../fuzz_random.ts";

const SECRET = new Uint8Array(32).fill(7);
const RECEIVER_NOISE = new Uint8Array(32).fill(102);
/** Time that passes between two looks, in which timers fire. */
const STEP_MS = 20;
/** New datagrams of each kind between two looks. */
const FRESH = 32;
const STREAMS = [9n, 10n, 11n];
const SUBPROTOCOLS = [0, 0, 0, 0x0b00, 0x0b01, 0x0b02, 0x0b03, 0x0c01, 0x0d00, 0x0d01, 0x1100];
const FLAGS = [0, FLAG_RELIABLE, FLAG_RELIABLE, FLAG_HEARTBEAT, 0x40, 0x80];

interface World {
  readonly clock: HeapClock;
  readonly network: MemoryNetwork;
  readonly sender: MeshTransport;
  readonly receiver: MeshTransport;
  /** Everything that was on the wire while they talked. */
  readonly captured: Uint8Array[];
}

async function createWorld(isSealing: boolean): Promise<World> {
  const clock = new HeapClock();
  const network = new MemoryNetwork(clock, 1);
  const captured: Uint8Array[] = [];
  network.filter = (bytes) => captured.push(bytes.slice()) > 0;
  const create = (number: number) => {
    const seed = new Uint8Array(32).fill(number);
    const identity = createIdentity(seed);
    const policyOf = () => ({ isRequired: false });
    const transport = new MeshTransport({
      socket: network.open(`10.0.0.${number}`, 4_000),
      cipher: createPacketCipher({ memoryBytes: 6 * 1024 * 1024, keySlots: 4_096 }),
      clock,
      log: silentLog,
    }, {
      nodeId: identity.nodeId,
      noiseKeys: createNoiseKeyPair(new Uint8Array(32).fill(100 + number)),
      meshSecret: SECRET,
      sealing: isSealing ? { identity, resetTagger: createResetTagger(seed), policyOf } : undefined,
    });
    transport.start();
    return transport;
  };
  const [sender, receiver] = [create(1), create(2)];
  const dialled = sender.dial({
    nodeId: receiver.nodeId,
    noisePublicKey: createNoiseKeyPair(RECEIVER_NOISE).publicKey,
    addresses: [receiver.localAddress],
    form: "routed",
  }, 1_000);
  await Promise.all([dialled, clock.advance(500)]);
  const world = { clock, network, sender, receiver, captured };
  openStreams(world);
  for (const streamId of STREAMS) {
    const stream = sender.openSendStream(receiver.nodeId, streamId);
    for (let i = 0; i < 5; i++) stream.trySend(new Uint8Array(10 * i).fill(i));
  }
  sender.probe(receiver.nodeId);
  await clock.advance(6_000);
  return world;
}

function openStreams({ sender, receiver }: World): void {
  receiver.setEventHandler(() => {});
  for (const [i, streamId] of STREAMS.entries()) {
    const handler = { onEvent: () => {}, onEnd: () => {} };
    receiver.openReceiveStream(sender.nodeId, streamId, handler, { isOrdered: i % 2 === 0 });
    // Something of its own is under way too, so that grants and SACKs find their stream.
    try {
      receiver.openSendStream(sender.nodeId, streamId).trySend(Uint8Array.of(i));
    } catch {
      // The session is gone for now.
    }
  }
}

/** Sums are right and nothing grew out of bounds. */
function check({ receiver }: World): void {
  assert.deepEqual(checkCounters(receiver.counters), []);
  assert.equal(receiver.counters.rx_failures_total, 0, "a packet made its handler throw");
  assert.ok(receiver.peers().length <= 4_096);
  assert.ok(receiver.discoveredNodes().length <= 4_096);
}

async function settle(world: World): Promise<void> {
  check(world);
  await world.clock.advance(STEP_MS);
  check(world);
}

/** Datagrams as they were, with changes. */
async function datagramTarget(isSealing: boolean): Promise<FuzzTarget> {
  const world = await createWorld(isSealing);
  const { sender, receiver, network, captured } = world;
  const old = captured.slice();
  const corpus = old.slice();
  // Nothing reaches the sender; what it says is kept for the next inputs instead of being delivered.
  network.filter = (bytes, from) => {
    if (from.host === sender.localAddress.host) captured.push(bytes.slice());
    return false;
  };
  const refresh = () => {
    captured.length = 0;
    for (let i = 0; i < FRESH; i++) {
      sender.sendMessage(receiver.nodeId, 0x0d00, 0x0d00n, new Uint8Array(0));
      sender.sendMessage(receiver.nodeId, 0x1100, 9n, new Uint8Array(i));
    }
    corpus.length = 0;
    corpus.push(...old, ...captured);
  };
  refresh();
  return {
    corpus,
    feed: (bytes, random) => {
      const from = random.below(4) === 0
        ? { host: `10.1.${random.below(9)}.${random.below(256)}`, port: 4_000 }
        : sender.localAddress;
      const before = receiver.counters.rx_opened_total;
      network.deliver(bytes, from, receiver.localAddress);
      if (receiver.counters.rx_failures_total > 0) throw new Error("its handler threw");
      return receiver.counters.rx_opened_total > before ? true : undefined;
    },
    settle: async () => {
      await settle(world);
      refresh();
    },
    stop: () => stop(world),
  };
}

/** Contents with changes, sealed as the peer would seal them. */
async function plaintextTarget(): Promise<FuzzTarget> {
  const world = await createWorld(false);
  const { sender, receiver, network } = world;
  const seal = createSealer(world);
  network.filter = (_, from) => from.host !== receiver.localAddress.host;
  const random = new FuzzRandom(4);
  const words = (count: number) =>
    new Uint8Array(
      BigUint64Array.from({ length: count }, () => BigInt(random.below(20))).buffer,
    );
  const events = [
    [random.bytes(20), new Uint8Array(0)],
    [concat(words(0), u64(STREAMS[0] as bigint), words(2))],
    [concat(u64(STREAMS[1] as bigint), words(1), u64(9n), u64(12n))],
    [u64(STREAMS[2] as bigint)],
    [words(2)],
    [new Uint8Array(0)],
    [Uint8Array.of(4, ...random.bytes(18))],
  ];
  return {
    corpus: events.map(encodeEvents),
    feed: (bytes, input) => {
      const before = receiver.counters.rx_opened_total;
      network.deliver(seal(bytes, input), sender.localAddress, receiver.localAddress);
      if (receiver.counters.rx_failures_total > 0) throw new Error("its handler threw");
      return receiver.counters.rx_opened_total > before ? true : undefined;
    },
    settle: async () => {
      await settle(world);
      openStreams(world);
    },
    stop: () => stop(world),
  };
}

/** Seals packets of the sender's side of the session that was captured. */
function createSealer(world: World) {
  const hash = observeHandshake(world.captured, SECRET, RECEIVER_NOISE);
  const keys = deriveSessionKeys(hash, "initiator");
  const cipher: PacketCipher = createPacketCipher({ memoryBytes: 1024 * 1024, keySlots: 1 });
  const slot = cipher.createKey(keys.sendKey);
  const at = cipher.allocate(HEADER_BYTES + MAX_PAYLOAD + TAG_BYTES);
  const view = new DataView(cipher.memory.buffer);
  const header = new PacketHeader();
  // Above what the sender itself has used.
  let counter = 1_000_000;
  return (plaintext: Uint8Array, random: FuzzRandom): Uint8Array => {
    const body = plaintext.subarray(0, MAX_PAYLOAD);
    const streamId = random.below(8) === 0 ? random.u64() : random.pick(STREAMS);
    header.flags = random.pick(FLAGS);
    header.subprotocol = random.below(16) === 0 ? random.below(65_536) : random.pick(SUBPROTOCOLS);
    header.noncePrefix = keys.noncePrefix;
    header.counterLow = random.below(64) === 0 ? counter : ++counter;
    header.sessionLow = keys.sessionIdLow;
    header.sessionHigh = keys.sessionIdHigh;
    header.streamLow = Number(streamId & 0xffff_ffffn);
    header.streamHigh = Number(streamId >> 32n);
    header.sequenceLow = random.below(4) === 0 ? random.u32() : random.below(300);
    header.sequenceHigh = random.below(16) === 0 ? random.u32() : 0;
    header.eventCount = random.below(4) === 0 ? random.below(2_100) : random.below(4);
    header.payloadLength = (header.flags & FLAG_HEARTBEAT) !== 0 ? 0 : body.length;
    writeHeader(view, at, header);
    cipher.memory.set(body.subarray(0, header.payloadLength), at + HEADER_BYTES);
    cipher.sealPacket(slot, at, header.payloadLength);
    return cipher.memory.slice(at, at + HEADER_BYTES + header.payloadLength + TAG_BYTES);
  };
}

function stop({ sender, receiver }: World): void {
  sender.stop();
  receiver.stop();
}

function u64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** The table of this area. */
export const TRANSPORT_TARGETS: Readonly<Record<string, CreateTarget>> = {
  datagrams_compat: () => datagramTarget(false),
  datagrams_sealed: () => datagramTarget(true),
  packet_contents: plaintextTarget,
};
