/**
 * The point-to-point adapter: what a bus dispatches goes to one peer over UDP, and what the peer's bus dispatches
 * is polled here. On the wire it is the `Net` adapter of the Rust core (`wire.md` 14, `storage.md` 2.6).
 *
 * It is the fast and careless one. A packet that is lost on the way is lost, as with the reference, whatever its
 * flag says; the receiver counts it. Acknowledged means: handed to the kernel.
 */
import { type Clock, repeat } from "../../../../base/mod.ts";
import {
  createPacketCipher,
  type PacketCipher,
  ReplayWindow,
  type SessionKeys,
} from "../../../../core/crypto/mod.ts";
import {
  type DatagramSocket,
  EventCursor,
  FLAG_HANDSHAKE,
  FLAG_HEARTBEAT,
  HEADER_BYTES,
  MAX_DATAGRAM,
  MAX_EVENT_BYTES,
  PacketHeader,
  PacketReject,
  readHeader,
  type SocketAddress,
  validatePacket,
} from "../../../../core/transport/mod.ts";
import { type Log, silentLog } from "../../../../observe/mod.ts";
import { BusError } from "../../error.ts";
import { SHARDS_MAX } from "../../limits.ts";
import type { Batch, BusAdapter, ShardPoll } from "../../types.ts";
import { Inbox, type InboxCounters } from "./inbox.ts";
import { Introduction } from "./introduction.ts";
import {
  EVENTS_DEFAULT,
  HEARTBEAT_DEFAULT_MS,
  KEY_SLOTS,
  PACKETS_PER_TURN,
  SEND_SLOTS,
  SESSION_TIMEOUT_DEFAULT_MS,
} from "./limits.ts";
import { checkNetOptions, type NetAdapterDeps, type NetAdapterOptions } from "./options.ts";
import { PacketWriter } from "./packet_writer.ts";
import { PointSession } from "./point_session.ts";

/** What came in, and what of it was dropped. */
export interface NetAdapterCounters extends InboxCounters {
  datagrams: number;
  /** No packets, or with streams or subprotocols that are not this adapter's. */
  malformed: number;
  /** Of no session, not authentic, or repeated. */
  refused: number;
  handshakes: number;
  /** Handshakes that were not looked at, or failed. */
  handshakesRefused: number;
}

/** The adapter, with its counters. */
export interface NetAdapter extends BusAdapter {
  readonly counters: NetAdapterCounters;
  /** Where its socket is bound; `undefined` while it is stopped. */
  readonly localAddress: SocketAddress | undefined;
}

/**
 * Creates an adapter for one peer.
 *
 * @throws BusError `config`.
 */
export function createNetAdapter(deps: NetAdapterDeps, options: NetAdapterOptions): NetAdapter {
  checkNetOptions(options);
  return new PointToPoint(deps, options);
}

/** Room for the cipher's own tables. */
const MEMORY_SPARE_BYTES = 1024 * 1024;

/** What there is between start and stop. */
interface Running {
  readonly socket: DatagramSocket;
  readonly cipher: PacketCipher;
  readonly writer: PacketWriter;
  readonly introduction: Introduction;
  readonly view: DataView;
  /** Where datagrams arrive in the cipher's memory. */
  readonly receiveAt: number;
  readonly stopBeating: () => void;
}

class PointToPoint implements NetAdapter {
  readonly name = "net";
  readonly eventBytesMax = MAX_EVENT_BYTES;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #deps: NetAdapterDeps;
  readonly #options: NetAdapterOptions;
  readonly #inbox: Inbox;
  readonly #counts = {
    datagrams: 0,
    malformed: 0,
    refused: 0,
    handshakes: 0,
    handshakesRefused: 0,
  };
  readonly #header = new PacketHeader();
  readonly #cursor = new EventCursor();
  /** Which packets of each stream came, when all are filed under one shard. */
  readonly #windows = new Map<number, ReplayWindow>();
  #running: Running | undefined;
  #session: PointSession | undefined;
  /** A newer one that has yet to prove itself by a first packet. */
  #candidate: PointSession | undefined;
  #hadSession = false;
  #isCalling = false;

  constructor(deps: NetAdapterDeps, options: NetAdapterOptions) {
    this.#deps = deps;
    this.#clock = deps.clock;
    this.#log = deps.log ?? silentLog;
    this.#options = options;
    this.#inbox = new Inbox(options.eventsMax ?? EVENTS_DEFAULT);
  }

  get counters(): NetAdapterCounters {
    return { ...this.#counts, ...this.#inbox.counters };
  }

  get localAddress(): SocketAddress | undefined {
    return this.#running?.socket.localAddress;
  }

  /** Binds; the initiator resolves when the peer has answered. */
  async start(): Promise<void> {
    if (this.#running !== undefined) return;
    this.#running = this.#open();
    if (this.#options.role === "responder") return;
    try {
      await this.#call();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async write({ shard, events }: Batch, signal: AbortSignal): Promise<void> {
    const { isReliable = false, peer } = this.#options;
    let sent = 0;
    for (let from = 0; from < events.length; sent++) {
      signal.throwIfAborted();
      const { socket, writer } = this.#requireRunning();
      await writer.ready(signal);
      const session = this.#requireSession();
      const next = writer.sendEvents(socket, peer, session, shard, events, { from, isReliable });
      if (next === from) {
        throw new BusError("fatal", `Cannot send event: it has more than ${MAX_EVENT_BYTES} bytes`);
      }
      from = next;
      if (sent % PACKETS_PER_TURN === PACKETS_PER_TURN - 1) await this.#turn();
    }
  }

  // deno-lint-ignore require-await -- what it throws has to be a rejection
  async poll(shard: number, fromId: string | undefined, limit: number): Promise<ShardPoll> {
    this.#requireRunning();
    return this.#inbox.poll(shard, fromId, limit);
  }

  async flush(signal: AbortSignal): Promise<void> {
    await this.#requireRunning().writer.drain(signal);
  }

  async stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    running.stopBeating();
    running.introduction.stop();
    this.#session?.destroy();
    this.#candidate?.destroy();
    this.#session = undefined;
    this.#candidate = undefined;
    running.socket.close();
    await running.socket.closed;
  }

  isHealthy(): Promise<boolean> {
    return Promise.resolve(this.#running !== undefined && this.#isHeard());
  }

  shards(): Promise<readonly number[]> {
    return Promise.resolve(this.#inbox.shards);
  }

  #open(): Running {
    const socket = this.#deps.openSocket();
    const receiveBytes = Math.max(MAX_DATAGRAM, socket.receiveBytes ?? 0);
    const cipher = createPacketCipher({
      memoryBytes: receiveBytes + SEND_SLOTS * MAX_DATAGRAM + MEMORY_SPARE_BYTES,
      keySlots: KEY_SLOTS,
    });
    const receiveAt = cipher.allocate(receiveBytes);
    const { peer, heartbeatMs = HEARTBEAT_DEFAULT_MS } = this.#options;
    const introduction = new Introduction({
      clock: this.#clock,
      options: this.#options,
      send: (datagram) => socket.send(datagram, peer, () => {}),
    });
    const buffer = cipher.memory.subarray(receiveAt, receiveAt + receiveBytes);
    socket.start(buffer, (length, from, offset = 0) => {
      this.#receive(length, from, receiveAt + offset);
    }, (error) => this.#log.error("bus_net_socket_broken", { error: String(error) }));
    return {
      socket,
      cipher,
      writer: new PacketWriter(cipher),
      introduction,
      view: new DataView(cipher.memory.buffer),
      receiveAt,
      stopBeating: repeat(this.#clock, heartbeatMs, () => this.#beat()),
    };
  }

  async #call(): Promise<void> {
    const running = this.#requireRunning();
    if (this.#isCalling) return;
    this.#isCalling = true;
    try {
      this.#install(await running.introduction.call());
    } finally {
      this.#isCalling = false;
    }
  }

  #beat(): void {
    const running = this.#running;
    if (running === undefined) return;
    if (this.#session !== undefined) {
      running.writer.sendHeartbeat(running.socket, this.#options.peer, this.#session);
    }
    if (this.#options.role === "responder" || this.#isHeard()) return;
    this.#call().catch((error) => this.#log.debug("bus_net_peer_silent", { error: String(error) }));
  }

  #receive(length: number, from: SocketAddress, at: number): void {
    const running = this.#running;
    if (running === undefined) return;
    this.#counts.datagrams += 1;
    if (validatePacket(running.view, at, length) !== PacketReject.None) {
      this.#counts.malformed += 1;
      return;
    }
    const header = this.#header;
    readHeader(running.view, at, header);
    if ((header.flags & FLAG_HANDSHAKE) !== 0) return this.#introduce(running, header, from, at);
    const session = this.#openWith(header, at);
    if (session === undefined) {
      this.#counts.refused += 1;
      return;
    }
    session.heardAtMs = this.#clock.now();
    if ((header.flags & FLAG_HEARTBEAT) !== 0) return;
    const hasShard = header.streamHigh === 0 && header.streamLow <= SHARDS_MAX;
    if (header.subprotocol === 0 && hasShard) this.#file(running, header, at);
    else this.#counts.malformed += 1;
  }

  #introduce(running: Running, header: PacketHeader, from: SocketAddress, at: number): void {
    const { peer } = this.#options;
    const start = at + HEADER_BYTES;
    const message = running.cipher.memory.slice(start, start + header.payloadLength);
    const isPeer = from.host === peer.host && from.port === peer.port;
    const keys = isPeer && running.introduction.take(message);
    if (keys === false) this.#counts.handshakesRefused += 1;
    else {
      this.#counts.handshakes += 1;
      if (keys !== true) this.#install(keys);
    }
  }

  /** A responder keeps what it has until the new session proves itself: an old message may have been played again. */
  #install(keys: SessionKeys): void {
    const running = this.#running;
    if (running === undefined) return;
    const session = new PointSession(running.cipher, keys, this.#clock.now());
    this.#candidate?.destroy();
    this.#candidate = session;
    if (this.#options.role === "initiator" || !this.#isHeard()) this.#promote(session);
    running.writer.sendHeartbeat(running.socket, this.#options.peer, session);
  }

  #promote(session: PointSession): void {
    this.#session?.destroy();
    this.#session = session;
    this.#candidate = undefined;
    if (this.#hadSession) this.#inbox.startSession();
    this.#windows.clear();
    this.#hadSession = true;
  }

  #openWith(header: PacketHeader, at: number): PointSession | undefined {
    if (this.#session?.owns(header) && this.#session.open(at, header)) return this.#session;
    const candidate = this.#candidate;
    if (candidate === undefined || !candidate.owns(header) || !candidate.open(at, header)) {
      return undefined;
    }
    this.#promote(candidate);
    return candidate;
  }

  #file(running: Running, header: PacketHeader, at: number): void {
    const start = at + HEADER_BYTES;
    const payload = running.cipher.memory.slice(start, start + header.payloadLength);
    this.#cursor.reset(payload, 0, payload.length, header.eventCount);
    const events: Uint8Array[] = [];
    while (this.#cursor.next()) events.push(payload.subarray(this.#cursor.start, this.#cursor.end));
    const sequence = header.sequenceHigh * 2 ** 32 + header.sequenceLow;
    const stream = header.streamLow;
    if (!Number.isSafeInteger(sequence)) this.#counts.malformed += 1;
    else if (this.#options.filing !== "zero") this.#inbox.add(stream, sequence, events);
    else this.#inbox.add(0, sequence, events, this.#windowOf(stream));
  }

  #windowOf(stream: number): ReplayWindow {
    const window = this.#windows.get(stream) ?? new ReplayWindow();
    this.#windows.set(stream, window);
    return window;
  }

  #isHeard(): boolean {
    const { sessionTimeoutMs = SESSION_TIMEOUT_DEFAULT_MS } = this.#options;
    return this.#session !== undefined &&
      this.#clock.now() - this.#session.heardAtMs < sessionTimeoutMs;
  }

  #requireRunning(): Running {
    if (this.#running !== undefined) return this.#running;
    throw new BusError("fatal", "Cannot use adapter: it was stopped");
  }

  #requireSession(): PointSession {
    if (this.#session !== undefined && this.#isHeard()) return this.#session;
    throw new BusError("transient", "Cannot send to peer: there is no session with it now", {
      next: "see that the peer runs and can be reached",
    });
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => this.#clock.soon(resolve));
  }
}
