/**
 * One transport of ours in a process of its own, told what to do by JSON lines: the counterpart of
 * `test/interop/rust_peer_process.ts` for benchmarks.
 */
import process from "node:process";
import { highHalf, lowHalf, systemClock, systemRandom } from "../src/base/mod.ts";
import {
  createIdentity,
  createNoiseKeyPair,
  createPacketCipher,
  createResetTagger,
  generateSeed,
  type NativeAead,
  openNativeAead,
} from "../src/core/crypto/mod.ts";
import {
  HEADER_BYTES,
  PacketHeader,
  TAG_BYTES,
  writeHeader,
} from "../src/core/transport/wire/header.ts";
import {
  type DatagramSocket,
  MeshTransport,
  openBestUdpSocket,
  type SendStreamHandle,
} from "../src/core/transport/mod.ts";
import {
  ROUTING_HEADER_BYTES,
  RoutingHeader,
  writeRoutingHeader,
} from "../src/core/transport/wire/routing_header.ts";
import { silentLog } from "../src/observe/mod.ts";
import { type FolderBlobs, openFolderBlobs } from "./_folder_blobs.ts";
import { type MeshBlobs, openMeshBlobs } from "./_mesh_blobs.ts";
import { serveLines } from "../test/interop/serve_lines.ts";

/** Every operation: its arguments and its result. */
export interface MeshOperations {
  start: [StartOptions, NodeInfo];
  dial: [NodeInfo, null];
  send: [SendManyOptions, { seconds: number; resent: number }];
  /** Forgets the events so far; answered before the sender may begin. */
  reset: [Record<never, never>, null];
  receive: [{ eventCount: number; timeoutMs: number }, ReceivedFigures];
  /** From now on events of the peer's stream `PING` come back on `PONG`. */
  echo: [{ peer: bigint }, null];
  /** Round trips over two streams, one after the other; microseconds, sorted. */
  pingPong: [{ peer: bigint; count: number; eventBytes: number }, { microseconds: number[] }];
  /** Connects so many nodes, each with an address of its own, to one node. */
  crowd: [{ count: number; psk: Uint8Array; target: NodeInfo }, { connected: number }];
  /** Each of the crowd sends its share of events on a stream of its own. */
  crowdSend: [Omit<SendManyOptions, "streamId" | "streams">, { seconds: number; resent: number }];
  /** Sends packets for another node to a neighbour, as fast as the socket takes them. */
  blast: [BlastOptions, { datagrams: number }];
  counters: [Record<never, never>, Record<string, number>];
  /** CPU seconds of the process so far, and its resident memory. */
  usage: [Record<never, never>, { cpuSeconds: number; residentBytes: number }];
  put: [{ sizeBytes: number }, { blobRef: Uint8Array; seconds: number }];
  fetch: [{ blobRef: Uint8Array }, { sizeBytes: number; seconds: number }];
  /** From now on blobs are in this folder, as those of a node. */
  openFolder: [{ folder: string }, null];
  putFile: [{ path: string }, { blobRef: Uint8Array; address: string; seconds: number }];
  getFile: [{ target: Uint8Array | string; output: string }, GetFigures];
  /** Answers when nothing of the gets before is left to do. */
  settleFolder: [Record<never, never>, null];
  /** Removes the chunks that gets left. */
  emptyFolder: [Record<never, never>, null];
}

/** What a get into a file took. */
export interface GetFigures {
  readonly sizeBytes: number;
  readonly seconds: number;
  /** Highest resident memory of this process so far. */
  readonly peakBytes: number;
}

/** What is needed to dial a node on this machine. */
export interface NodeInfo {
  readonly nodeId: bigint;
  readonly port: number;
  readonly publicKey: Uint8Array;
}

/** How a transport is started. */
export interface StartOptions {
  readonly psk: Uint8Array;
  /** How long the socket is polled after traffic; the default when left out. */
  readonly pollMicroseconds?: number;
}

/** What to send to be relayed. */
export interface BlastOptions {
  readonly destination: bigint;
  /** Of the relay, on this machine. */
  readonly port: number;
  readonly sizeBytes: number;
  readonly milliseconds: number;
}

/** Streams of round trips. */
const PING = 0x70696e67n;
const PONG = 0x706f6e67n;

/** What to send. */
export interface SendManyOptions {
  /** Streams to spread the events over, from `streamId` on; 1 when left out. */
  readonly streams?: number;
  readonly peer: bigint;
  readonly streamId: bigint;
  readonly eventCount: number;
  readonly eventBytes: number;
  readonly perCall: number;
  readonly windowBytes: number;
}

/** What came, timed from the first to the last event. */
export interface ReceivedFigures {
  readonly events: number;
  readonly bytes: number;
  readonly seconds: number;
}

type Handlers = {
  [Name in keyof MeshOperations]: (
    args: MeshOperations[Name][0],
  ) => MeshOperations[Name][1] | Promise<MeshOperations[Name][1]>;
};

export function createHandlers(): Handlers {
  let transport: MeshTransport | undefined;
  let socket: DatagramSocket | undefined;
  let blobs: Promise<MeshBlobs> | undefined;
  let folder: FolderBlobs | undefined;
  const crowd: MeshTransport[] = [];
  let crowdStreams = 0x63726f77n;
  let events = 0;
  let bytes = 0;
  let firstMs = 0;
  let lastMs = 0;
  let wanted = Infinity;
  let onWanted = () => {};
  const running = (): MeshTransport => {
    if (transport === undefined) throw new Error("The transport has not started");
    return transport;
  };
  const bound = (): DatagramSocket => {
    if (socket === undefined) throw new Error("The transport has not started");
    return socket;
  };
  // Only one of both serves, so that neither is opened before it is used.
  const opened = (): Promise<MeshBlobs> => blobs ??= openMeshBlobs(running());
  const inFolder = (): FolderBlobs => {
    if (folder === undefined) throw new Error("There is no folder");
    return folder;
  };
  return {
    start: ({ psk, pollMicroseconds }) => {
      const node = startNode(psk, "127.0.0.1", { pollMicroseconds, native: openNativeAead() });
      transport = node.transport;
      socket = node.socket;
      transport.setEventHandler(({ payload }) => {
        if (events === 0) firstMs = performance.now();
        events += 1;
        bytes += payload.length;
        if (events === wanted) {
          lastMs = performance.now();
          onWanted();
        }
      });
      return node.info;
    },
    dial: async (target) => {
      await dial(running(), target);
      return null;
    },
    crowd: async ({ count, psk, target }) => {
      for (let i = crowd.length; i < count; i++) {
        const host = `127.0.${1 + (i >> 7)}.${1 + (i & 127)}`;
        const { transport } = startNode(psk, host, {
          // A thousand sockets that poll would leave no time for anything else.
          pollMicroseconds: 0,
          memoryBytes: CROWD_MEMORY_BYTES,
          keySlots: CROWD_KEY_SLOTS,
        });
        crowd.push(transport);
        // Within what a node takes of strangers' handshakes per second.
        await dial(transport, target);
        await new Promise((resolve) => setTimeout(resolve, CROWD_PAUSE_MS));
      }
      return { connected: crowd.length };
    },
    crowdSend: async (options) => {
      const eventCount = Math.floor(options.eventCount / crowd.length);
      const before = crowd.reduce((sum, node) => sum + node.counters.tx_resent_total, 0);
      const startMs = performance.now();
      await Promise.all(crowd.map(async (node) => {
        const { peer, windowBytes } = options;
        const stream = node.openSendStream(peer, ++crowdStreams, { windowBytes });
        await sendMany(stream, { ...options, streamId: 0n, eventCount });
        await stream.close();
      }));
      const after = crowd.reduce((sum, node) => sum + node.counters.tx_resent_total, 0);
      return { seconds: (performance.now() - startMs) / 1000, resent: after - before };
    },
    send: async (options) => {
      const { windowBytes, streams = 1 } = options;
      const before = running().counters.tx_resent_total;
      const eventCount = Math.floor(options.eventCount / streams);
      const startMs = performance.now();
      await Promise.all(Array.from({ length: streams }, async (_, i) => {
        const id = options.streamId + BigInt(i);
        const stream = running().openSendStream(options.peer, id, { windowBytes });
        await sendMany(stream, { ...options, eventCount });
        await stream.close();
      }));
      const seconds = (performance.now() - startMs) / 1000;
      return { seconds, resent: running().counters.tx_resent_total - before };
    },
    echo: ({ peer }) => {
      const back = running().openSendStream(peer, PONG);
      const pong = (event: Uint8Array): void => {
        if (!back.trySend(event)) back.ready().then(() => pong(event), () => {});
      };
      running().openReceiveStream(peer, PING, {
        onEvent: (_sequence, payload) => pong(payload.slice()),
        onEnd: () => {},
      });
      return null;
    },
    pingPong: async ({ peer, count, eventBytes }) => {
      const event = new Uint8Array(eventBytes);
      const microseconds: number[] = [];
      const there = running().openSendStream(peer, PING);
      const done = Promise.withResolvers<void>();
      let startMs = 0;
      const ping = () => {
        startMs = performance.now();
        if (!there.trySend(event)) there.ready().then(ping, done.reject);
      };
      running().openReceiveStream(peer, PONG, {
        onEvent: () => {
          microseconds.push(1000 * (performance.now() - startMs));
          if (microseconds.length < count) ping();
          else done.resolve();
        },
        onEnd: (reason) => done.reject(new Error(`The stream ended: ${reason}`)),
      });
      ping();
      await done.promise;
      return { microseconds: microseconds.sort((a, b) => a - b) };
    },
    blast: (options) => blast(bound(), lowHalf(running().nodeId), options),
    counters: () => ({ ...running().counters }),
    usage: () => {
      const { user, system } = process.cpuUsage();
      const { rss } = Deno.memoryUsage();
      return { cpuSeconds: (user + system) / 1e6, residentBytes: rss };
    },
    put: async ({ sizeBytes }) => (await opened()).put(sizeBytes),
    fetch: async ({ blobRef }) => (await opened()).fetch(blobRef),
    openFolder: async (options) => {
      folder = await openFolderBlobs(running(), options.folder);
      return null;
    },
    putFile: ({ path }) => inFolder().put(path),
    getFile: ({ target, output }) => inFolder().get(target, output),
    settleFolder: async () => {
      await inFolder().settle();
      return null;
    },
    emptyFolder: async () => {
      await inFolder().empty();
      return null;
    },
    reset: () => {
      events = bytes = 0;
      return null;
    },
    receive: async ({ eventCount, timeoutMs }) => {
      wanted = eventCount;
      if (events < wanted) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, timeoutMs);
          onWanted = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      wanted = Infinity;
      return { events, bytes, seconds: (lastMs - firstMs) / 1000 };
    },
  };
}

/** Memory of a node that only sends a little: its slots and a few packets that wait. */
const CROWD_MEMORY_BYTES = 12 * 1024 * 1024;
const CROWD_KEY_SLOTS = 32;
const CROWD_PAUSE_MS = 5;

interface StartNodeOptions {
  readonly pollMicroseconds?: number;
  readonly memoryBytes?: number;
  readonly keySlots?: number;
  readonly native?: NativeAead;
}

/** A transport that seals its sessions, as every node of ours does. */
function startNode(meshSecret: Uint8Array, host: string, options: StartNodeOptions) {
  const { pollMicroseconds, memoryBytes, keySlots, native } = options;
  const seed = generateSeed(systemRandom);
  const identity = createIdentity(seed);
  const noiseKeys = createNoiseKeyPair();
  const socket = openBestUdpSocket({ host, port: 0 }, { pollMicroseconds });
  const transport = new MeshTransport({
    socket,
    cipher: createPacketCipher({ memoryBytes, keySlots, native }),
    clock: systemClock,
    log: silentLog,
  }, {
    nodeId: identity.nodeId,
    noiseKeys,
    meshSecret,
    sealing: {
      identity,
      resetTagger: createResetTagger(seed),
      policyOf: () => ({ isRequired: false }),
    },
  });
  transport.start();
  const { port } = socket.localAddress;
  const info: NodeInfo = { nodeId: identity.nodeId, port, publicKey: noiseKeys.publicKey };
  return { transport, socket, info };
}

async function dial(transport: MeshTransport, target: NodeInfo): Promise<void> {
  await transport.dial({
    nodeId: target.nodeId,
    noisePublicKey: target.publicKey,
    addresses: [{ host: "127.0.0.1", port: target.port }],
    form: "routed",
  }, 5_000);
}

async function sendMany(stream: SendStreamHandle, options: SendManyOptions): Promise<void> {
  const event = new Uint8Array(options.eventBytes);
  const full = new Array<Uint8Array>(options.perCall).fill(event);
  for (let left = options.eventCount; left > 0;) {
    const batch = left >= full.length ? full : full.slice(0, left);
    for (let sent = 0; sent < batch.length;) {
      const taken = stream.trySendAll(batch, sent);
      sent += taken;
      if (taken === 0) await stream.ready();
    }
    left -= batch.length;
  }
}

/** Slots a blast sends from; as many as a transport has. */
const BLAST_SLOTS = 512;
/** The clock is looked at once in so many datagrams. */
const CLOCK_EVERY = 64;

/** Sends packets behind a routing header that nobody can open, each with a counter of its own. */
async function blast(
  socket: DatagramSocket,
  routingId: number,
  { destination, port, sizeBytes, milliseconds }: BlastOptions,
): Promise<{ datagrams: number }> {
  const to = { host: "127.0.0.1", port };
  const free: { readonly bytes: Uint8Array; readonly view: DataView; readonly back: () => void }[] =
    [];
  let wake = () => {};
  for (let i = 0; i < BLAST_SLOTS; i++) {
    const bytes = new Uint8Array(sizeBytes);
    const view = new DataView(bytes.buffer);
    const routing = Object.assign(new RoutingHeader(), {
      ttl: 8,
      source: routingId,
      destinationLow: lowHalf(destination),
      destinationHigh: highHalf(destination),
    });
    writeRoutingHeader(view, 0, routing);
    const header = new PacketHeader();
    header.sessionLow = 0x7e57;
    header.payloadLength = sizeBytes - ROUTING_HEADER_BYTES - HEADER_BYTES - TAG_BYTES;
    header.eventCount = 1;
    writeHeader(view, ROUTING_HEADER_BYTES, header);
    const slot = {
      bytes,
      view,
      back: () => {
        free.push(slot);
        wake();
      },
    };
    free.push(slot);
  }
  let datagrams = 0;
  let deadline = performance.now() + milliseconds;
  while (deadline > 0) {
    const slot = free.pop();
    if (slot === undefined) {
      await new Promise<void>((resolve) => wake = resolve);
      continue;
    }
    // Repeats of a packet would be taken for a loop.
    blastCounter += 1;
    slot.view.setUint32(ROUTING_HEADER_BYTES + 16, blastCounter, true);
    socket.send(slot.bytes, to, slot.back);
    datagrams += 1;
    if (datagrams % CLOCK_EVERY > 0) continue;
    if (performance.now() > deadline) deadline = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { datagrams };
}

let blastCounter = 0;

if (import.meta.main) await serveLines(createHandlers());
