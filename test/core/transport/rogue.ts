/**
 * Somebody who has the mesh secret and knows everybody's public keys, and no private key but its own: makes
 * first messages that claim anything, from any address, and sees what comes back to the ones it has.
 */
import { highHalf, lowHalf } from "../../../src/base/mod.ts";
import {
  createNoiseInitiator,
  createPacketCipher,
  deriveSessionKeys,
  encodeMessage1Payload,
  handshakePrologue,
  type NoiseInitiator,
  type SealedBlock,
} from "../../../src/core/crypto/mod.ts";
import { createTransportCounters } from "../../../src/core/transport/counters.ts";
import { encodeHandshakeDatagram } from "../../../src/core/transport/wire/handshake_datagram.ts";
import type { SocketAddress } from "../../../src/core/transport/mod.ts";
import { PacketSender } from "../../../src/core/transport/packet_sender.ts";
import type { MemoryNetwork } from "../../sim/memory_network.ts";
import { type SealedNode, SECRET } from "./sealed_net.ts";

/** What a first message claims. */
export interface Claim {
  readonly nodeId: bigint;
  /** Left out, the handshake is a compat one. */
  readonly block?: SealedBlock;
  /** In place of what node id and block give. */
  readonly payload?: Uint8Array;
}

/** A first message under way. */
export interface RogueHandshake {
  readonly noise: NoiseInitiator;
  readonly datagram: Uint8Array<ArrayBuffer>;
}

const MESSAGE_AT = 18 + 68;

/** Makes the datagram of a first message to a node. */
export function rogueMessage1(to: SealedNode, claim: Claim): RogueHandshake {
  const { nodeId, block } = claim;
  const noise = createNoiseInitiator({
    prologue: handshakePrologue(lowHalf(nodeId), lowHalf(to.nodeId)),
    psk: SECRET,
    responderStatic: to.publicKey,
  });
  const payload = claim.payload ??
    (block === undefined ? nodeIdBytes(nodeId) : encodeMessage1Payload(nodeId, block));
  const message = noise.writeMessage1(payload);
  const relayTo = { low: lowHalf(to.nodeId), high: highHalf(to.nodeId) };
  return { noise, datagram: encodeHandshakeDatagram(message, lowHalf(nodeId), relayTo) };
}

/** The 8 bytes of a node id. */
export function nodeIdBytes(nodeId: bigint): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, nodeId, true);
  return bytes;
}

/** Says of a node what the node would say of itself. */
export function blockOf(node: SealedNode): SealedBlock {
  return { isRequired: false, entityId: node.entityId, noisePublicKey: node.publicKey };
}

/** An address of the rogue's own, with everything that arrives there. */
export class Rogue {
  readonly address: SocketAddress;
  readonly received: Uint8Array<ArrayBuffer>[] = [];
  readonly #network: MemoryNetwork;

  constructor(network: MemoryNetwork, host: string, port = 666) {
    this.#network = network;
    const socket = network.open(host, port);
    this.address = socket.localAddress;
    const buffer = new Uint8Array(65_536);
    socket.start(buffer, (length) => void this.received.push(buffer.slice(0, length)));
  }

  /** Sends from its own address, or from one that it makes up. */
  send(bytes: Uint8Array, to: SealedNode, from = this.address): void {
    this.#network.inject(bytes, from, to.address);
  }

  /** Finishes a handshake with the message 2 that came; false when none did. */
  finish({ noise }: RogueHandshake): boolean {
    return this.received.some((bytes) =>
      bytes[0] === 0x52 && noise.readMessage2(bytes.subarray(MESSAGE_AT)) !== undefined
    );
  }

  /** Sends an event with compat keys of a finished handshake. */
  sendCompatEvent({ noise }: RogueHandshake, to: SealedNode): void {
    const cipher = createPacketCipher({ memoryBytes: 5 * 1024 * 1024, keySlots: 2 });
    const keys = deriveSessionKeys(noise.handshakeHash, "initiator");
    const sender = new PacketSender({
      cipher,
      counters: createTransportCounters(),
      routingId: 0,
      socket: {
        localAddress: this.address,
        counters: { sendErrors: 0, receiveErrors: 0 },
        start: () => {},
        send: (bytes, _, onSent) => {
          this.send(bytes, to);
          onSent();
        },
        close: () => {},
      },
    });
    const session = {
      sendKey: cipher.createKey(keys.sendKey),
      sessionLow: keys.sessionIdLow,
      sessionHigh: keys.sessionIdHigh,
      noncePrefix: keys.noncePrefix,
      sendCounter: 0,
      takesSubnetHeader: false,
    };
    const payload = Uint8Array.of(1, 0, 0, 0, 99);
    const route = { address: to.address, relayTo: undefined };
    cipher.memory.set(payload, sender.begin());
    sender.finish(session, route, 0, 0, 1, 0, 0, payload.length, 1);
  }
}
