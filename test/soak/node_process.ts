/**
 * One transport in a process of its own over a real socket, told what to do by JSON lines: sends and
 * receives at full rate for as long as it is asked to, and says how it is.
 */

import { systemClock, systemRandom } from "../../src/base/mod.ts";
import {
  createIdentity,
  createNoiseKeyPair,
  createPacketCipher,
  createResetTagger,
  generateSeed,
} from "../../src/core/crypto/mod.ts";
import {
  checkCounters,
  Dialer,
  MeshTransport,
  openBestUdpSocket,
  type SendStreamHandle,
} from "../../src/core/transport/mod.ts";
import { silentLog } from "../../src/observe/mod.ts";
import { serveLines } from "../interop/serve_lines.ts";

/** Where and who a node is. */
export interface NodeAddress {
  readonly nodeId: bigint;
  readonly port: number;
  readonly publicKey: Uint8Array;
}

/** What a node is asked to send. */
export interface SendOptions {
  readonly peer: bigint;
  readonly streamId: bigint;
  /** At least 4: each event begins with its number. */
  readonly eventBytes: number;
  readonly windowBytes: number;
}

/** How a node is. */
export interface NodeStatus {
  readonly rssBytes: number;
  readonly heapBytes: number;
  /** Events sent and received so far. */
  readonly sent: number;
  readonly received: number;
  /** Events that came twice, never, or out of order. */
  readonly disordered: number;
  /** Stages whose counters do not add up. */
  readonly wrong: readonly string[];
  readonly counters: Readonly<Record<string, number>>;
}

/** Every operation: its arguments and its result. */
export interface NodeOperations {
  start: [{ psk: Uint8Array; isSealing: boolean }, NodeAddress];
  /** Keeps dialling; answered with the milliseconds it took. */
  connect: [NodeAddress & { timeoutMs: number }, { ms: number; isSealed: boolean }];
  /** Takes the peer's stream, once and in order. */
  receive: [{ peer: bigint; streamId: bigint; windowBytes: number }, null];
  /** Begins to send at full rate. */
  send: [SendOptions, null];
  /** Ends sending: all of it was acknowledged when this is answered. */
  finish: [Record<never, never>, { sent: number }];
  status: [Record<never, never>, NodeStatus];
}

type Handlers = {
  [Name in keyof NodeOperations]: (
    args: NodeOperations[Name][0],
  ) => NodeOperations[Name][1] | Promise<NodeOperations[Name][1]>;
};

const EVENTS_PER_CALL = 64;
const LOOK_MS = 5;

class SoakNode {
  readonly transport: MeshTransport;
  readonly #dialer: Dialer;
  #sent = 0;
  #received = 0;
  #disordered = 0;
  #isSending = false;
  #sending: Promise<void> = Promise.resolve();

  constructor(readonly address: NodeAddress, transport: MeshTransport) {
    this.transport = transport;
    this.#dialer = new Dialer({ transport, clock: systemClock, log: silentLog });
  }

  async connect({ nodeId, port, publicKey, timeoutMs }: NodeOperations["connect"][0]) {
    const startMs = performance.now();
    this.#dialer.add({
      nodeId,
      noisePublicKey: publicKey,
      addresses: [{ host: "127.0.0.1", port }],
      forms: ["routed"],
    });
    for (;;) {
      const peer = this.transport.peer(nodeId);
      const ms = performance.now() - startMs;
      if (peer?.state === "connected") return { ms, isSealed: peer.isSealed };
      if (ms > timeoutMs) throw new Error(`No session within ${timeoutMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  receive({ peer, streamId, windowBytes }: NodeOperations["receive"][0]): void {
    this.transport.openReceiveStream(peer, streamId, {
      onEvent: (_, payload) => {
        const number = readNumber(payload);
        if (number !== this.#received >>> 0) this.#disordered += 1;
        this.#received += 1;
      },
      onEnd: () => {},
    }, { windowBytes, isOrdered: true });
  }

  send(options: SendOptions): void {
    const { windowBytes } = options;
    const stream = this.transport.openSendStream(options.peer, options.streamId, { windowBytes });
    this.#isSending = true;
    this.#sending = this.#sendAll(stream, options.eventBytes);
    this.#sending.catch(() => {});
  }

  async finish(): Promise<number> {
    this.#isSending = false;
    await this.#sending;
    return this.#sent;
  }

  status(): NodeStatus {
    const { rss, heapUsed } = Deno.memoryUsage();
    const { counters } = this.transport;
    return {
      rssBytes: rss,
      heapBytes: heapUsed,
      sent: this.#sent,
      received: this.#received,
      disordered: this.#disordered,
      wrong: checkCounters(counters),
      counters: { ...counters },
    };
  }

  async #sendAll(stream: SendStreamHandle, eventBytes: number): Promise<void> {
    const events = Array.from({ length: EVENTS_PER_CALL }, () => new Uint8Array(eventBytes));
    while (this.#isSending) {
      for (let i = 0; i < events.length; i++) writeNumber(events[i] as Uint8Array, this.#sent + i);
      for (let taken = 0; taken < events.length;) {
        const more = stream.trySendAll(events, taken);
        taken += more;
        if (more === 0) await stream.ready();
      }
      this.#sent += events.length;
    }
    await stream.close();
  }
}

function readNumber(bytes: Uint8Array): number {
  return ((bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8) | ((bytes[2] ?? 0) << 16) |
    ((bytes[3] ?? 0) << 24)) >>> 0;
}

function writeNumber(bytes: Uint8Array, number: number): void {
  bytes[0] = number;
  bytes[1] = number >>> 8;
  bytes[2] = number >>> 16;
  bytes[3] = number >>> 24;
}

function startNode({ psk, isSealing }: NodeOperations["start"][0]): SoakNode {
  const seed = generateSeed(systemRandom);
  const identity = createIdentity(seed);
  const noiseKeys = createNoiseKeyPair();
  const socket = openBestUdpSocket({ host: "127.0.0.1", port: 0 });
  const policyOf = () => ({ isRequired: false });
  const transport = new MeshTransport(
    { socket, cipher: createPacketCipher(), clock: systemClock, log: silentLog },
    {
      nodeId: identity.nodeId,
      noiseKeys,
      meshSecret: psk,
      sealing: isSealing ? { identity, resetTagger: createResetTagger(seed), policyOf } : undefined,
    },
  );
  transport.start();
  const { port } = socket.localAddress;
  return new SoakNode({ nodeId: identity.nodeId, port, publicKey: noiseKeys.publicKey }, transport);
}

function createHandlers(): Handlers {
  let node: SoakNode | undefined;
  const running = (): SoakNode => {
    if (node === undefined) throw new Error("The node has not started");
    return node;
  };
  return {
    start: (options) => (node = startNode(options)).address,
    connect: (target) => running().connect(target),
    receive: (options) => {
      running().receive(options);
      return null;
    },
    send: (options) => {
      running().send(options);
      return null;
    },
    finish: async () => ({ sent: await running().finish() }),
    status: () => running().status(),
  };
}

if (import.meta.main) await serveLines(createHandlers());
