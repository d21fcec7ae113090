/**
 * One transport of ours in a process of its own, told what to do by JSON lines: the counterpart of
 * `test/interop/rust_peer_process.ts` for benchmarks.
 */
import { systemClock, systemRandom } from "../src/base/mod.ts";
import {
  createIdentity,
  createNoiseKeyPair,
  createPacketCipher,
  generateSeed,
  openNativeAead,
} from "../src/core/crypto/mod.ts";
import {
  MeshTransport,
  openBestUdpSocket,
  type SendStreamHandle,
} from "../src/core/transport/mod.ts";
import { silentLog } from "../src/observe/mod.ts";
import { type MeshBlobs, openMeshBlobs } from "./_mesh_blobs.ts";
import { decodeLine, encodeLine, readLines } from "../test/interop/rust_protocol.ts";

/** Every operation: its arguments and its result. */
export interface MeshOperations {
  start: [{ psk: Uint8Array }, { nodeId: bigint; port: number; publicKey: Uint8Array }];
  dial: [{ nodeId: bigint; port: number; publicKey: Uint8Array }, null];
  send: [SendManyOptions, { seconds: number; resent: number }];
  /** Forgets the events so far; answered before the sender may begin. */
  reset: [Record<never, never>, null];
  receive: [{ eventCount: number; timeoutMs: number }, ReceivedFigures];
  put: [{ sizeBytes: number }, { blobRef: Uint8Array; seconds: number }];
  fetch: [{ blobRef: Uint8Array }, { sizeBytes: number; seconds: number }];
}

/** What to send. */
export interface SendManyOptions {
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

function createHandlers(): Handlers {
  let transport: MeshTransport | undefined;
  let blobs: MeshBlobs | undefined;
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
  const opened = (): MeshBlobs => {
    if (blobs === undefined) throw new Error("The transport has not started");
    return blobs;
  };
  return {
    start: async ({ psk }) => {
      const { nodeId } = createIdentity(generateSeed(systemRandom));
      const noiseKeys = createNoiseKeyPair();
      const socket = openBestUdpSocket({ host: "127.0.0.1", port: 0 });
      const cipher = createPacketCipher({ native: openNativeAead() });
      transport = new MeshTransport(
        { socket, cipher, clock: systemClock, log: silentLog },
        { nodeId, noiseKeys, meshSecret: psk },
      );
      transport.setEventHandler(({ payload }) => {
        if (events === 0) firstMs = performance.now();
        events += 1;
        bytes += payload.length;
        if (events === wanted) {
          lastMs = performance.now();
          onWanted();
        }
      });
      transport.start();
      blobs = await openMeshBlobs(transport);
      return { nodeId, port: socket.localAddress.port, publicKey: noiseKeys.publicKey };
    },
    dial: async ({ nodeId, port, publicKey }) => {
      await running().dial({
        nodeId,
        noisePublicKey: publicKey,
        addresses: [{ host: "127.0.0.1", port }],
        form: "routed",
      }, 5000);
      return null;
    },
    send: async (options) => {
      const { windowBytes } = options;
      const before = running().counters.tx_resent_total;
      const stream = running().openSendStream(options.peer, options.streamId, { windowBytes });
      const startMs = performance.now();
      await sendMany(stream, options);
      const seconds = (performance.now() - startMs) / 1000;
      await stream.close();
      return { seconds, resent: running().counters.tx_resent_total - before };
    },
    put: ({ sizeBytes }) => opened().put(sizeBytes),
    fetch: ({ blobRef }) => opened().fetch(blobRef),
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

async function main(): Promise<void> {
  const handlers = createHandlers() as unknown as Record<string, (args: unknown) => unknown>;
  for await (const line of readLines(Deno.stdin.readable)) {
    const { id, op, args } = decodeLine(line) as { id: number; op: string; args: unknown };
    const answer = (value: object) => Deno.stdout.write(encodeLine({ id, ...value }));
    Promise.resolve()
      .then(() => handlers[op]?.(args))
      .then((result) => answer({ result: result ?? null }))
      .catch((error) => answer({ error: String(error?.message ?? error) }));
  }
  Deno.exit(0);
}

if (import.meta.main) await main();
