/**
 * What an idle session costs: a hub that real initiators connect to over a network in memory, one
 * after the other; each vanishes once its session stands, so that only the hub's side remains.
 *
 * Run in a process of its own with `--v8-flags=--expose-gc`; prints one JSON line.
 */
import {
  createIdentity,
  createNoiseKeyPair,
  createPacketCipher,
  createResetTagger,
  generateSeed,
} from "../src/core/crypto/mod.ts";
import { MeshTransport, type SocketAddress } from "../src/core/transport/mod.ts";
import type { DatagramHandler } from "../src/core/transport/socket/socket.ts";
import { silentLog } from "../src/observe/mod.ts";
import { systemRandom } from "../src/base/mod.ts";
import { ManualClock } from "../test/sim/manual_clock.ts";

const WARM = 1_000;
const PSK = new Uint8Array(32).fill(3);
/** Between two initiators, so that the hub never feels flooded. */
const PAUSE_MS = 20;

/** Initiators are gone once their session stands: nobody may find that out while it is measured. */
const PATIENCE = { heartbeatMs: 3_600_000, sessionTimeoutMs: 24 * 3_600_000 };

/** Key slots of an idle session: to send, to receive; sealed also its chains. */
const KEY_BYTES = { sealed: 4 * 32, compat: 2 * 32 };

const clock = new ManualClock();
const sockets = new Map<string, { buffer: Uint8Array; onDatagram: DatagramHandler }>();

function open(address: SocketAddress) {
  const key = `${address.host}:${address.port}`;
  return {
    localAddress: address,
    counters: { sendErrors: 0, receiveErrors: 0 },
    start: (buffer: Uint8Array, onDatagram: DatagramHandler) => {
      sockets.set(key, { buffer, onDatagram });
    },
    send: (bytes: Uint8Array, to: SocketAddress, onSent: () => void) => {
      const copy = bytes.slice();
      onSent();
      queueMicrotask(() => {
        const target = sockets.get(`${to.host}:${to.port}`);
        if (target === undefined) return;
        target.buffer.set(copy);
        // As a real socket does, one object for all datagrams of a source.
        target.onDatagram(copy.length, address);
      });
    },
    close: () => void sockets.delete(key),
  };
}

function createNode(
  address: SocketAddress,
  isSealed: boolean,
  memoryBytes: number,
  keySlots: number,
) {
  const seed = generateSeed(systemRandom);
  const identity = createIdentity(seed);
  const noiseKeys = createNoiseKeyPair();
  const cipher = createPacketCipher({ memoryBytes, keySlots });
  const sealing = {
    identity,
    resetTagger: createResetTagger(seed),
    policyOf: () => ({ isRequired: false }),
  };
  const transport = new MeshTransport(
    { socket: open(address), cipher, clock, log: silentLog },
    {
      nodeId: identity.nodeId,
      noiseKeys,
      meshSecret: PSK,
      ...PATIENCE,
      sealing: isSealed ? sealing : undefined,
    },
  );
  transport.start();
  return { transport, noiseKeys };
}

function addressOf(i: number): SocketAddress {
  return { host: `10.${i >> 16 & 255}.${i >> 8 & 255}.${i & 255}`, port: 4_000 };
}

async function connect(hub: ReturnType<typeof createNode>, i: number, isSealed: boolean) {
  const { transport } = createNode(addressOf(i + 1), isSealed, 6 * 1024 * 1024, 16);
  const target = {
    nodeId: hub.transport.nodeId,
    noisePublicKey: hub.noiseKeys.publicKey,
    addresses: [addressOf(0)],
    form: "routed" as const,
  };
  const dialled = transport.dial(target, 5_000);
  await clock.advance(PAUSE_MS);
  await dialled;
  await clock.advance(PAUSE_MS);
  transport.stop();
}

function used(): number {
  const { gc } = globalThis as unknown as { gc: () => void };
  for (let i = 0; i < 3; i++) gc();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

async function measure(count: number, isSealed: boolean): Promise<number> {
  const hub = createNode(addressOf(0), isSealed, 64 * 1024 * 1024, 131_072);
  for (let i = 0; i < WARM; i++) await connect(hub, i, isSealed);
  const before = used();
  for (let i = WARM; i < WARM + count; i++) {
    await connect(hub, i, isSealed);
    if (i % 100 === 0) used();
  }
  const after = used();
  const connected = hub.transport.connectedPeers().length;
  if (connected < count) throw new Error(`Cannot measure sessions: only ${connected} stand`);
  hub.transport.stop();
  return (after - before) / count + KEY_BYTES[isSealed ? "sealed" : "compat"];
}

const count = Number(Deno.args[0] ?? "10000");
// Times of a real clock have fractions, and take more memory than whole milliseconds.
await clock.advance(0.25);
console.log(JSON.stringify({
  count,
  sealedBytes: Math.round(await measure(count, true)),
  compatBytes: Math.round(await measure(count, false)),
}));
