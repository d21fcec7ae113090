/** A transport of ours that announces itself and keeps what others announce, over a socket that can lose. */
import { systemClock, systemRandom } from "../../src/base/mod.ts";
import {
  type Announcement,
  AnnouncementStore,
  type AnnouncementVerdict,
  encodeAnnouncement,
  localAnnouncement,
  type LocalAnnouncementOptions,
  nextAnnouncementVersion,
  SUBPROTOCOL_ANNOUNCEMENT,
} from "../../src/core/capability/mod.ts";
import {
  createIdentity,
  createNoiseKeyPair,
  createPacketCipher,
  generateSeed,
  type Identity,
  type PacketCipher,
} from "../../src/core/crypto/mod.ts";
import { type DatagramSocket, MeshTransport, openUdpSocket } from "../../src/core/transport/mod.ts";
import { silentLog } from "../../src/observe/mod.ts";

const STREAM_ANNOUNCEMENT = BigInt(SUBPROTOCOL_ANNOUNCEMENT);
const SUBPROTOCOL_SACK = 0x0b03;
/** Offset of the subprotocol id in a packet's header, u16 little-endian. */
const SUBPROTOCOL_AT = 8;

/** A running node. */
export interface AnnouncingNode extends AsyncDisposable {
  readonly transport: MeshTransport;
  readonly identity: Identity;
  readonly nodeId: bigint;
  /** `ip:port`. */
  readonly address: string;
  readonly publicKey: Uint8Array;
  readonly store: AnnouncementStore;
  /** What became of every announcement received. */
  readonly verdicts: readonly AnnouncementVerdict[];
  /** The bytes of each, copied. */
  readonly received: readonly Uint8Array[];
  /** Selective acknowledgements received and found authentic. */
  sacks(): number;
  /** Loses every `n`th datagram of more than 300 bytes from now on; 0 for none. */
  lose(n: number): void;
  /** A signed announcement of this node, newer than the ones before. */
  announcement(tags: readonly string[], more?: Partial<LocalAnnouncementOptions>): Announcement;
  /** Sends an announcement to a peer. */
  send(peer: bigint, announcement: Announcement): void;
}

/** Starts a node on a free loopback port; what it accepts it passes on to its other peers. */
export function startAnnouncingNode(
  psk: Uint8Array,
  expected: readonly bigint[] = [],
): AnnouncingNode {
  const identity = createIdentity(generateSeed(systemRandom));
  const noiseKeys = createNoiseKeyPair();
  const { socket, lose } = createLossySocket(openUdpSocket({ host: "127.0.0.1", port: 0 }));
  const { cipher, sacks } = createWatchedCipher();
  const transport = new MeshTransport(
    { socket, cipher, clock: systemClock, log: silentLog },
    { nodeId: identity.nodeId, noiseKeys, meshSecret: psk, expected },
  );
  const store = new AnnouncementStore({ nodeId: identity.nodeId });
  const verdicts: AnnouncementVerdict[] = [];
  const received: Uint8Array[] = [];
  let version = 0n;
  const sendBytes = (peer: bigint, bytes: Uint8Array) => {
    transport.sendMessage(peer, SUBPROTOCOL_ANNOUNCEMENT, STREAM_ANNOUNCEMENT, bytes);
  };
  transport.onMessage(SUBPROTOCOL_ANNOUNCEMENT, ({ payload, from }) => {
    received.push(payload.slice());
    const verdict = store.receive(payload, from, systemClock.now());
    verdicts.push(verdict);
    if (verdict.kind !== "accepted" || verdict.forward === undefined) return;
    for (const peer of transport.connectedPeers()) {
      if (peer !== from && peer !== verdict.announcement.nodeId) sendBytes(peer, verdict.forward);
    }
  });
  transport.start();
  const { host, port } = socket.localAddress;
  return {
    transport,
    identity,
    nodeId: identity.nodeId,
    address: `${host}:${port}`,
    publicKey: noiseKeys.publicKey,
    store,
    verdicts,
    received,
    sacks,
    lose,
    announcement: (tags, more) => {
      version = nextAnnouncementVersion(version, systemClock.wallMs());
      return localAnnouncement({ identity, tags, version, wallMs: systemClock.wallMs(), ...more });
    },
    send: (peer, announcement) => sendBytes(peer, encodeAnnouncement(announcement)),
    [Symbol.asyncDispose]: () => {
      transport.stop();
      return transport.stopped;
    },
  };
}

function createLossySocket(
  inner: DatagramSocket,
): { readonly socket: DatagramSocket; readonly lose: (n: number) => void } {
  let every = 0;
  let count = 0;
  const socket: DatagramSocket = {
    localAddress: inner.localAddress,
    counters: inner.counters,
    start: (buffer, onDatagram) => inner.start(buffer, onDatagram),
    send: (bytes, to, onSent) => {
      if (every > 0 && bytes.length > 300 && ++count % every === 0) onSent();
      else inner.send(bytes, to, onSent);
    },
    closed: inner.closed,
    close: () => inner.close(),
  };
  return { socket, lose: (n) => void (every = n) };
}

/** A cipher that counts the selective acknowledgements among the packets it opens. */
function createWatchedCipher(): { readonly cipher: PacketCipher; readonly sacks: () => number } {
  const inner = createPacketCipher();
  let sacks = 0;
  const cipher: PacketCipher = {
    ...inner,
    openPacket: (slot, offset, payloadLength, noncePrefix) => {
      const isOpen = inner.openPacket(slot, offset, payloadLength, noncePrefix);
      const at = offset + SUBPROTOCOL_AT;
      const subprotocol = (inner.memory[at] ?? 0) | ((inner.memory[at + 1] ?? 0) << 8);
      if (isOpen && subprotocol === SUBPROTOCOL_SACK) sacks += 1;
      return isOpen;
    },
  };
  return { cipher, sacks: () => sacks };
}
