/**
 * Floods a node with first messages, or with as many garbage datagrams, from a thousand real sockets on
 * addresses of 127/8, told what to do by JSON lines.
 *
 * The messages are those of an insider: made with the mesh secret, each under another identity, so that
 * the node has no cheap reason to refuse one.
 */

import { highHalf, lowHalf } from "../../src/base/mod.ts";
import {
  createIdentity,
  createNoiseInitiator,
  encodeMessage1Payload,
  handshakePrologue,
} from "../../src/core/crypto/mod.ts";
import {
  FLAG_HANDSHAKE,
  HEADER_BYTES,
  PacketHeader,
  writeHeader,
} from "../../src/core/transport/wire/header.ts";
import { HANDSHAKE_TTL } from "../../src/core/transport/limits.ts";
import {
  ROUTING_HEADER_BYTES,
  RoutingHeader,
  writeRoutingHeader,
} from "../../src/core/transport/wire/routing_header.ts";
import type { NodeAddress } from "./node_process.ts";
import { serveLines } from "../interop/serve_lines.ts";

/** What to send, and how much of it. */
export interface FloodOptions {
  readonly kind: "handshakes" | "garbage";
  readonly perSecond: number;
  readonly seconds: number;
}

/** Every operation: its arguments and its result. */
export interface FloodOperations {
  /** Opens the sockets and makes the messages. */
  prepare: [{ target: NodeAddress; psk: Uint8Array; sockets: number; messages: number }, null];
  flood: [FloodOptions, { sent: number; seconds: number }];
}

/** Half of the sockets have a host of their own; the others share one and differ in their port. */
const SHARED_HOST = "127.0.0.2";
const TICK_MS = 5;

function openSockets(count: number): Deno.DatagramConn[] {
  return Array.from({ length: count }, (_, i) => {
    const hostname = i % 2 === 0 ? SHARED_HOST : `127.1.${i >> 8}.${i & 0xff}`;
    return Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  });
}

function createMessage(target: NodeAddress, psk: Uint8Array, number: number): Uint8Array {
  const seed = new Uint8Array(32);
  new DataView(seed.buffer).setUint32(0, number + 1, true);
  const { entityId, nodeId } = createIdentity(seed);
  const noise = createNoiseInitiator({
    prologue: handshakePrologue(lowHalf(nodeId), lowHalf(target.nodeId)),
    psk,
    responderStatic: target.publicKey,
  });
  const block = { isRequired: false, entityId, noisePublicKey: target.publicKey };
  const message = noise.writeMessage1(encodeMessage1Payload(nodeId, block));
  const datagram = new Uint8Array(ROUTING_HEADER_BYTES + HEADER_BYTES + message.length);
  const view = new DataView(datagram.buffer);
  const routing = new RoutingHeader();
  routing.ttl = HANDSHAKE_TTL;
  routing.source = lowHalf(nodeId);
  routing.destinationLow = lowHalf(target.nodeId);
  routing.destinationHigh = highHalf(target.nodeId);
  writeRoutingHeader(view, 0, routing);
  const header = new PacketHeader();
  header.flags = FLAG_HANDSHAKE;
  header.payloadLength = message.length;
  writeHeader(view, ROUTING_HEADER_BYTES, header);
  datagram.set(message, ROUTING_HEADER_BYTES + HEADER_BYTES);
  return datagram;
}

function createHandlers() {
  let sockets: Deno.DatagramConn[] = [];
  let messages: Uint8Array[] = [];
  let address: Deno.NetAddr | undefined;
  let next = 0;

  return {
    prepare: ({ target, psk, ...counts }: FloodOperations["prepare"][0]) => {
      sockets = openSockets(counts.sockets);
      messages = Array.from({ length: counts.messages }, (_, i) => createMessage(target, psk, i));
      address = { transport: "udp", hostname: "127.0.0.1", port: target.port };
      return null;
    },
    flood: async ({ kind, perSecond, seconds }: FloodOptions) => {
      if (address === undefined) throw new Error("Nothing was prepared");
      // As long as a message, and of no class.
      const garbage = new Uint8Array(messages[0]?.length ?? 200).fill(0xaa);
      const startMs = performance.now();
      let sent = 0;
      for (;;) {
        const elapsedMs = performance.now() - startMs;
        if (elapsedMs >= seconds * 1000) break;
        // What was missed because of other work is not caught up with in one burst.
        const due = Math.min(elapsedMs * perSecond / 1000 - sent, perSecond / 20);
        for (let i = 0; i < due; i++) {
          const bytes = kind === "garbage" ? garbage : messages[next % messages.length];
          await sockets[next % sockets.length]?.send(bytes as Uint8Array, address);
          next += 1;
          sent += 1;
        }
        await new Promise((resolve) => setTimeout(resolve, TICK_MS));
      }
      return { sent, seconds: (performance.now() - startMs) / 1000 };
    },
  };
}

if (import.meta.main) await serveLines(createHandlers());
