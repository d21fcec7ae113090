/**
 * The UDP socket for Linux: many datagrams per system call, joined where the kernel can (GSO, GRO),
 * received straight into the caller's memory, and polled for a moment after traffic.
 *
 * The runtime binds the socket, wakes us when a datagram comes and tells when there is room to send
 * again; everything in between goes to the kernel by FFI. Where that is not possible
 * {@linkcode openBestUdpSocket} gives the portable socket and says why.
 */

import { setImmediate } from "node:timers";
import { type Log, silentLog } from "../../../observe/mod.ts";
import { canonicalHost, isIpv6Host } from "../address.ts";
import { findUdpDescriptor } from "./_linux_descriptor.ts";
import { type Libc, openLibc } from "./_linux_libc.ts";
import {
  BatchReceiver,
  RECEIVE_MESSAGES,
  RECEIVE_SLOT_BYTES,
  RECEIVED_NONE,
} from "./_linux_receiver.ts";
import { BatchSender } from "./_linux_sender.ts";
import { createNativeTarget, type NativeTarget, SourceTable } from "./_linux_sockaddr.ts";
import { TargetTable } from "./_linux_targets.ts";
import { ReceiveFailures } from "./receive_failures.ts";
import type { BatchedSocketCounters, DatagramHandler, DatagramSocket } from "./socket.ts";
import type { SocketAddress } from "../types.ts";
import { bindUdp, boundAddress, createUdpSocket } from "./udp_socket.ts";

/** How long a socket is polled after its last datagram; longer than a round trip on one machine. */
const POLL_MICROSECONDS = 50;
/** From so many datagrams without a pause on, the next ones take longer to be made: twice as long is polled. */
const TALK_FROM = 8;
/** A datagram that comes after so long a silence is a heartbeat rather than the start of a talk. */
const LONELY_MS = 5;
/** Timers and other sockets get a turn at least this often while this one is busy. */
const TURN_MS = 0.25;
/** From so many datagrams in one call on, joining pays. */
const JOIN_FROM = 16;
/** Sources remembered: two generations of this many, about 100 bytes each. */
const SOURCES_GENERATION_MAX = 4_096;
/** Forces the portable socket when set to `portable`. */
const SOCKET_VARIABLE = "NET_UDP_SOCKET";

/** Options of {@linkcode openBestUdpSocket}. */
export interface OpenUdpSocketOptions {
  /** `portable` never uses FFI; `auto`, the default, unless the variable NET_UDP_SOCKET says so. */
  readonly kind?: "auto" | "portable";
  /**
   * Microseconds to go on polling after traffic, default 50; 0 sleeps at once. A datagram after some
   * milliseconds of silence is no traffic yet.
   */
  readonly pollMicroseconds?: number;
  /** Told at debug level which socket was chosen, and why. */
  readonly log?: Log;
}

/**
 * Binds the fastest UDP socket this system and its permissions allow.
 *
 * @param local Address to bind; port 0 lets the system choose.
 * @throws NetError `address_in_use` or `network`.
 */
export function openBestUdpSocket(
  local: SocketAddress,
  options: OpenUdpSocketOptions = {},
): DatagramSocket {
  const connection = bindUdp(local);
  const log = options.log ?? silentLog;
  const reason = portableReason(options);
  if (reason === undefined) {
    try {
      const socket = openBatched(connection, options);
      log.debug("udp_socket_opened", { kind: "batched", port: socket.localAddress.port });
      return socket;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      log.debug("udp_socket_opened", { kind: "portable", reason: text });
    }
  } else log.debug("udp_socket_opened", { kind: "portable", reason });
  return createUdpSocket(connection);
}

/** Why batching is out of the question here; `undefined` when it is worth a try. */
export function portableReason(options: OpenUdpSocketOptions = {}): string | undefined {
  const { os, arch } = Deno.build;
  if (options.kind === "portable") return "asked for";
  // x86_64 and aarch64 share the layout of the structures the kernel is handed.
  if (os !== "linux" || (arch !== "x86_64" && arch !== "aarch64")) return `${os} on ${arch}`;
  // A query, because an attempt would ask the user.
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return "no FFI permission";
  const variable = { name: "env", variable: SOCKET_VARIABLE } as const;
  if (Deno.permissions.querySync(variable).state !== "granted") return undefined;
  return Deno.env.get(SOCKET_VARIABLE) === "portable" ? `${SOCKET_VARIABLE} is set` : undefined;
}

function openBatched(
  connection: Deno.DatagramConn,
  options: OpenUdpSocketOptions,
): DatagramSocket {
  const libc = openLibc();
  try {
    return createBatchedSocket(connection, libc, options);
  } catch (error) {
    libc.close();
    throw error;
  }
}

/**
 * Makes a batched socket of a bound one; from then on it owns that and `libc`.
 *
 * @throws Error when the socket's descriptor cannot be found; nothing has changed then.
 */
export function createBatchedSocket(
  connection: Deno.DatagramConn,
  libc: Libc,
  options: OpenUdpSocketOptions = {},
): DatagramSocket {
  const local = boundAddress(connection);
  const descriptor = findUdpDescriptor(libc, local);
  if (descriptor === undefined) throw new Error("the socket's descriptor was not found");
  const pollMs = (options.pollMicroseconds ?? POLL_MICROSECONDS) / 1000;
  return new BatchedSocket({ connection, libc, descriptor }, local, pollMs);
}

/** What {@linkcode BatchedSocket} is made of; it owns all of it. */
interface BatchedSocketDeps {
  readonly connection: Deno.DatagramConn;
  readonly libc: Libc;
  readonly descriptor: number;
}

class BatchedSocket implements DatagramSocket {
  readonly localAddress: SocketAddress;
  readonly receiveBytes = RECEIVE_MESSAGES * RECEIVE_SLOT_BYTES;
  readonly counters: BatchedSocketCounters = {
    sendErrors: 0,
    receiveErrors: 0,
    receiveCalls: 0,
    sendCalls: 0,
    sendQueueDrops: 0,
    sendBlocks: 0,
    joinsRefused: 0,
  };
  readonly #deps: BatchedSocketDeps;
  readonly #isIpv6: boolean;
  readonly #pollMs: number;
  readonly #sender: BatchSender;
  readonly #sources: SourceTable;
  readonly #targets: TargetTable;
  readonly #flushSoon = () => {
    this.#isFlushDue = false;
    this.#flush();
  };
  readonly #end = Promise.withResolvers<void>();
  readonly #failures = new ReceiveFailures();
  #receiver: BatchReceiver | undefined;
  #lastTo: SocketAddress | undefined;
  #lastTarget: NativeTarget | undefined;
  /** The source of the last datagram the runtime received. */
  #lastSource: NativeTarget | undefined;
  #isFlushDue = false;
  /** When the last datagram came. */
  #heardAt = -Infinity;
  /** A batch is being handed over; what its handlers send leaves together afterwards. */
  #isReceiving = false;
  /** The kernel takes no more; the runtime waits for room with the first datagram. */
  #isBlocked = false;
  #isClosed = false;

  constructor(deps: BatchedSocketDeps, localAddress: SocketAddress, pollMs: number) {
    const { counters } = this;
    this.#deps = deps;
    this.localAddress = localAddress;
    this.#isIpv6 = isIpv6Host(localAddress.host);
    this.#targets = new TargetTable(this.#isIpv6);
    this.#pollMs = pollMs;
    this.#sender = new BatchSender({ libc: deps.libc, descriptor: deps.descriptor, counters });
    const [seed = 0] = crypto.getRandomValues(new Uint32Array(1));
    this.#sources = new SourceTable(SOURCES_GENERATION_MAX, seed);
  }

  // --- Sending ---------------------------------------------------------------------------------

  send(bytes: Uint8Array, to: SocketAddress, onSent: () => void): void {
    if (this.#isClosed) return onSent();
    const target = to === this.#lastTo ? this.#lastTarget : this.#findTarget(to);
    if (target === undefined) {
      this.counters.sendErrors += 1;
      return onSent();
    }
    if (!this.#sender.push(bytes, target, onSent)) {
      this.counters.sendQueueDrops += 1;
      return onSent();
    }
    if (this.#sender.isFull) this.#flush();
    else if (!this.#isFlushDue && !this.#isReceiving) {
      this.#isFlushDue = true;
      queueMicrotask(this.#flushSoon);
    }
  }

  #findTarget(to: SocketAddress): NativeTarget | undefined {
    this.#lastTo = to;
    return this.#lastTarget = this.#targets.find(to);
  }

  #flush(): void {
    if (this.#isClosed || this.#isBlocked || this.#sender.waiting === 0) return;
    if (this.#sender.flush() === "blocked") void this.#waitForRoom();
  }

  /** Sends the first datagram through the runtime, which waits until the socket is writable. */
  async #waitForRoom(): Promise<void> {
    const { first, firstTarget } = this.#sender;
    if (first === undefined || firstTarget === undefined) return;
    this.#isBlocked = true;
    this.counters.sendBlocks += 1;
    try {
      await this.#deps.connection.send(first, firstTarget.address);
    } catch {
      if (!this.#isClosed) this.counters.sendErrors += 1;
    }
    this.#isBlocked = false;
    if (this.#isClosed) return;
    this.#sender.skip(1);
    this.#flush();
  }

  // --- Receiving -------------------------------------------------------------------------------

  start(
    buffer: Uint8Array,
    onDatagram: DatagramHandler,
    onBroken: (error: unknown) => void = () => {},
  ): void {
    if (this.#isClosed || this.#receiver !== undefined) return;
    const { libc, descriptor } = this.#deps;
    const { counters } = this;
    const sources = this.#sources;
    const onPause = () => this.#flush();
    const deps = { libc, descriptor, sources, counters, onPause };
    this.#receiver = new BatchReceiver(deps, buffer);
    const first = buffer.subarray(0, RECEIVE_SLOT_BYTES);
    const run = this.#run(this.#receiver, first, onDatagram, onBroken);
    void run.then(this.#end.resolve, this.#end.reject);
  }

  async #run(
    receiver: BatchReceiver,
    first: Uint8Array,
    onDatagram: DatagramHandler,
    onBroken: (error: unknown) => void,
  ): Promise<void> {
    while (!this.#isClosed) {
      try {
        if (receiver.isJoining) await receiver.sleepJoining();
        else await this.#receiveFirst(first, onDatagram);
        this.#failures.onReceived();
      } catch (error) {
        if (this.#isClosed) return;
        this.counters.receiveErrors += 1;
        const isGone = error instanceof Deno.errors.BadResource;
        if (isGone || !await this.#failures.onFailure()) return onBroken(error);
      }
      await this.#poll(receiver, onDatagram);
    }
  }

  /** Sleeps until the runtime has received a datagram, and hands it over. */
  async #receiveFirst(buffer: Uint8Array, onDatagram: DatagramHandler): Promise<void> {
    const received = await this.#deps.connection.receive(buffer);
    if (this.#isClosed) return;
    const { length } = received[0];
    const { hostname, port } = received[1] as Deno.NetAddr;
    const last = this.#lastSource;
    if (last === undefined || hostname !== last.address.hostname || port !== last.address.port) {
      const source = { host: canonicalHost(hostname), port };
      this.#lastSource = createNativeTarget(source, this.#isIpv6);
    }
    if (this.#lastSource === undefined) return;
    const from = this.#sources.find(this.#lastSource.words, 0);
    if (from !== undefined) this.#handOver(() => onDatagram(length, from, 0));
  }

  /** Receives until nothing came for a moment; after a lone datagram just what is there. */
  async #poll(receiver: BatchReceiver, onDatagram: DatagramHandler): Promise<void> {
    const receive = () => receiver.receive(onDatagram);
    let turnAt = performance.now();
    const pollMs = turnAt - this.#heardAt < LONELY_MS ? this.#pollMs : 0;
    let busyAt = turnAt;
    let largest = 0;
    let received = 0;
    while (!this.#isClosed) {
      const count = this.#handOver(receive);
      if (this.#isClosed) return;
      const now = performance.now();
      if (count !== RECEIVED_NONE) {
        busyAt = now;
        received += count;
        largest = Math.max(largest, count);
        if (count >= JOIN_FROM && !receiver.isJoining) receiver.enterJoining();
      } else if (now - busyAt >= (received < TALK_FROM ? pollMs : 2 * pollMs)) break;
      // The answer may have to come from a process that waits for this very processor.
      else this.#deps.libc.yield();
      if (now - turnAt >= TURN_MS) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        turnAt = performance.now();
      } else await null;
    }
    this.#heardAt = busyAt;
    // Single datagrams want to be woken for quickly more than they want to be joined.
    if (receiver.isJoining && largest < JOIN_FROM && !this.#isClosed) receiver.leaveJoining();
  }

  /** Runs handlers of datagrams; what they send leaves together. */
  #handOver<T>(handle: () => T): T {
    this.#isReceiving = true;
    try {
      return handle();
    } finally {
      this.#isReceiving = false;
      this.#flush();
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#flush();
    this.#isClosed = true;
    this.#failures.stop();
    this.#receiver?.stop();
    const { connection, libc, descriptor } = this.#deps;
    libc.wake(descriptor);
    connection.close();
    libc.close();
    this.#sender.skip(this.#sender.waiting);
    if (this.#receiver === undefined) this.#end.resolve();
  }

  get closed(): Promise<void> {
    return this.#end.promise;
  }
}
