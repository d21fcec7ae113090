/**
 * A transport of ours in this process, on a real socket, as the live peer's partner.
 *
 * It offers sealed sessions and sends RESETs like a real node, so that every test shows as well that the
 * Rust core does not mind.
 */
import assert from "node:assert/strict";
import { systemClock, systemRandom } from "../../src/base/mod.ts";
import {
  type Announcement,
  AnnouncementStore,
  encodeAnnouncement,
  localAnnouncement,
  type LocalAnnouncementOptions,
  nextAnnouncementVersion,
  SUBPROTOCOL_ANNOUNCEMENT,
  TAG_STREAM_ACK_RANGES,
} from "../../src/core/capability/mod.ts";
import {
  createIdentity,
  createNoiseKeyPair,
  createPacketCipher,
  createResetTagger,
  generateSeed,
} from "../../src/core/crypto/mod.ts";
import { checkCounters, MeshTransport, openUdpSocket } from "../../src/core/transport/mod.ts";
import { silentLog } from "../../src/observe/mod.ts";
import { parseAddress } from "./lossy_proxy.ts";

/** Longest wait for a condition. */
const WAIT_TIMEOUT_MS = 20_000;
const POLL_MS = 5;

/** Options of {@linkcode startMeshNode}. */
export interface MeshNodeOptions {
  /** Mesh secret, 32 bytes. */
  readonly psk: Uint8Array;
  /** Node ids whose direct handshakes are accepted. */
  readonly expected?: readonly bigint[];
  readonly heartbeatMs?: number;
  readonly sessionTimeoutMs?: number;
  /** ed25519 seed, 32 bytes; random when left out. */
  readonly seed?: Uint8Array;
  /** Port to bind; a free one when left out. */
  readonly port?: number;
  /** Takes nothing but sealed sessions. */
  readonly requiresSealing?: boolean;
}

/** What it takes to reach a node of either kind. */
export interface Reachable {
  readonly nodeId: bigint;
  /** `ip:port`. */
  readonly address: string;
  /** Noise static public key. */
  readonly publicKey: Uint8Array;
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
export interface MeshNode extends Reachable, AsyncDisposable {
  readonly transport: MeshTransport;
  /** Every event so far. */
  readonly events: readonly ArrivedEvent[];
  /** Sends a peer this node's signed announcement, newer than the ones before. */
  announce(peer: bigint, tags: readonly string[], more?: Partial<LocalAnnouncementOptions>): void;
  /** True when the node's announcement has arrived here. */
  hasAnnouncementOf(nodeId: bigint): boolean;
  /** What a node announced last. */
  announcementOf(nodeId: bigint): Announcement | undefined;
}

/** Starts a transport on a loopback port. */
export function startMeshNode(options: MeshNodeOptions): MeshNode {
  const seed = options.seed ?? generateSeed(systemRandom);
  const identity = createIdentity(seed);
  const noiseKeys = createNoiseKeyPair();
  const socket = openUdpSocket({ host: "127.0.0.1", port: options.port ?? 0 });
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
    sealing: {
      identity,
      resetTagger: createResetTagger(seed),
      policyOf: () => ({ isRequired: options.requiresSealing ?? false }),
    },
  });
  const events: ArrivedEvent[] = [];
  transport.setEventHandler(({ payload, ...event }) => {
    events.push({ ...event, bytes: payload.slice() });
  });
  transport.start();
  const store = new AnnouncementStore({ nodeId: identity.nodeId });
  keepAnnouncements(transport, store);
  let version = 0n;
  const { host, port } = socket.localAddress;
  return {
    transport,
    nodeId: identity.nodeId,
    address: `${host}:${port}`,
    publicKey: noiseKeys.publicKey,
    events,
    announce: (peer, tags, more) => {
      version = nextAnnouncementVersion(version, systemClock.wallMs());
      const wallMs = systemClock.wallMs();
      const announcement = localAnnouncement({ identity, tags, version, wallMs, ...more });
      sendAnnouncement(transport, peer, encodeAnnouncement(announcement));
    },
    announcementOf: (nodeId) => store.get(nodeId, systemClock.now()),
    hasAnnouncementOf: (nodeId) => store.get(nodeId, systemClock.now()) !== undefined,
    [Symbol.asyncDispose]: () => {
      transport.stop();
      return transport.stopped;
    },
  };
}

/** Keeps what peers announce, uses what they understand, and passes it on, as a whole node does. */
function keepAnnouncements(transport: MeshTransport, store: AnnouncementStore): void {
  transport.onMessage(SUBPROTOCOL_ANNOUNCEMENT, ({ payload, from }) => {
    const verdict = store.receive(payload, from, systemClock.now());
    if (verdict.kind !== "accepted") return;
    const { nodeId, capabilities } = verdict.announcement;
    const takesAckRanges = capabilities.tags.includes(TAG_STREAM_ACK_RANGES);
    transport.setPeerFeatures(nodeId, { takesAckRanges });
    if (verdict.forward === undefined) return;
    for (const peer of transport.connectedPeers()) {
      if (peer !== from && peer !== nodeId) sendAnnouncement(transport, peer, verdict.forward);
    }
  });
}

function sendAnnouncement(transport: MeshTransport, peer: bigint, bytes: Uint8Array): void {
  const stream = BigInt(SUBPROTOCOL_ANNOUNCEMENT);
  transport.sendMessage(peer, SUBPROTOCOL_ANNOUNCEMENT, stream, bytes);
}

/** Our side of a handshake that we begin. */
export async function dialNode(
  node: MeshNode,
  target: Reachable,
  form: "direct" | "routed",
  patienceMs = 3000,
): Promise<void> {
  await node.transport.dial({
    nodeId: target.nodeId,
    noisePublicKey: target.publicKey,
    addresses: [parseAddress(target.address)],
    form,
  }, patienceMs);
}

/** A handshake that we begin through a relay. */
export function dialVia(node: MeshNode, target: Reachable, relay: Reachable): Promise<void> {
  return dialNode(node, { ...target, address: relay.address }, "routed");
}

/** Waits until each node has a session with the other. */
export async function untilConnected(node: MeshNode, ...peers: readonly bigint[]): Promise<void> {
  for (const peer of peers) {
    await eventually(
      "the session is up",
      () => node.transport.connectedPeers().includes(peer),
    );
  }
}

/** Fails when one of the nodes refused a packet of its peers, or its counters do not add up. */
export function assertNothingRefused(...nodes: readonly MeshNode[]): void {
  for (const { transport: { counters } } of nodes) {
    for (
      const name of ["drop_bad_tag_total", "drop_replay_total", "drop_bad_header_total"] as const
    ) {
      assert.equal(counters[name], 0, name);
    }
    assert.deepEqual(checkCounters(counters), []);
  }
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
export async function eventually(
  what: string,
  condition: () => boolean,
  timeoutMs = WAIT_TIMEOUT_MS,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error(`${what}: not in ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
