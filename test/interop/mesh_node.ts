/** A transport of ours in this process, on a real socket, as the live peer's partner. */
import { systemClock, systemRandom } from "../../src/base/mod.ts";
import {
  createIdentity,
  createNoiseKeyPair,
  createPacketCipher,
  generateSeed,
} from "../../src/core/crypto/mod.ts";
import { MeshTransport, openUdpSocket } from "../../src/core/transport/mod.ts";
import { silentLog } from "../../src/observe/mod.ts";
import type { RustNode } from "./rust_peer.ts";

/** Longest wait for a condition. */
const WAIT_TIMEOUT_MS = 8000;
const POLL_MS = 5;

/** Options of {@linkcode startMeshNode}. */
export interface MeshNodeOptions {
  /** Mesh secret, 32 bytes. */
  readonly psk: Uint8Array;
  /** Node ids whose direct handshakes are accepted. */
  readonly expected?: readonly bigint[];
  readonly heartbeatMs?: number;
  readonly sessionTimeoutMs?: number;
}

/** An event as our transport received it. */
export interface ArrivedEvent {
  readonly from: bigint;
  readonly streamId: bigint;
  readonly sequence: number;
  readonly index: number;
  readonly bytes: Uint8Array;
}

/** A running transport. */
export interface MeshNode extends Disposable {
  readonly transport: MeshTransport;
  readonly nodeId: bigint;
  /** `ip:port`. */
  readonly address: string;
  readonly publicKey: Uint8Array;
  /** Every event so far. */
  readonly events: readonly ArrivedEvent[];
}

/** Starts a transport with a fresh identity on a free loopback port. */
export function startMeshNode(options: MeshNodeOptions): MeshNode {
  const identity = createIdentity(generateSeed(systemRandom));
  const noiseKeys = createNoiseKeyPair();
  const socket = openUdpSocket({ host: "127.0.0.1", port: 0 });
  const transport = new MeshTransport({
    socket,
    cipher: createPacketCipher(),
    clock: systemClock,
    log: silentLog,
  }, {
    nodeId: identity.nodeId,
    noiseKeys,
    meshSecret: options.psk,
    expected: options.expected,
    heartbeatMs: options.heartbeatMs,
    sessionTimeoutMs: options.sessionTimeoutMs,
  });
  const events: ArrivedEvent[] = [];
  transport.setEventHandler(({ payload, ...event }) => {
    events.push({ ...event, bytes: payload.slice() });
  });
  transport.start();
  const { host, port } = socket.localAddress;
  return {
    transport,
    nodeId: identity.nodeId,
    address: `${host}:${port}`,
    publicKey: noiseKeys.publicKey,
    events,
    [Symbol.dispose]: () => transport.stop(),
  };
}

/** Our side of a handshake that we begin. */
export async function dialRust(
  node: MeshNode,
  rust: RustNode,
  form: "direct" | "routed",
  patienceMs = 3000,
): Promise<void> {
  const [host, port] = rust.address.split(":");
  await node.transport.dial({
    nodeId: rust.nodeId,
    noisePublicKey: rust.publicKey,
    addresses: [{ host: host ?? "", port: Number(port) }],
    form,
  }, patienceMs);
}

/** Sends events over a stream of ours, waiting for credit, and closes it once all are acknowledged. */
export async function sendAll(
  node: MeshNode,
  peer: bigint,
  streamId: bigint,
  events: readonly Uint8Array[],
): Promise<void> {
  const signal = AbortSignal.timeout(WAIT_TIMEOUT_MS);
  const stream = node.transport.openSendStream(peer, streamId);
  for (const event of events) {
    while (!stream.trySend(event)) await stream.ready({ signal });
  }
  await stream.close({ signal });
}

/** Waits for a condition in real time. */
export async function eventually(what: string, condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + WAIT_TIMEOUT_MS;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error(`${what}: not in ${WAIT_TIMEOUT_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
