/** The sockets the compliance suite runs over, and what it measures them with. */

import {
  createBatchedSocket,
  portableReason,
} from "../../../src/core/transport/socket/batched_socket.ts";
import { openLibc } from "../../../src/core/transport/socket/_linux_libc.ts";
import type { DatagramSocket, SocketAddress } from "../../../src/core/transport/mod.ts";
import { bindUdp, openUdpSocket } from "../../../src/core/transport/socket/udp_socket.ts";
import { ManualClock } from "../../sim/manual_clock.ts";
import { MemoryNetwork } from "../../sim/memory_network.ts";

/** One kind of socket. */
export interface SocketFixture {
  readonly name: string;
  /** True when datagrams go through the operating system. */
  readonly isReal: boolean;
  open(host: string, port?: number): DatagramSocket;
  /** Lets datagrams travel. */
  turn(): Promise<void>;
  /** Resolves when nothing runs any more of the sockets opened here, all of which are closed. */
  settle(): Promise<void>;
}

/** Every kind there is on this machine; why another one is missing stands on the console. */
export function socketFixtures(): (() => SocketFixture)[] {
  const fixtures = [memoryFixture, portableFixture];
  const reason = portableReason();
  if (reason === undefined) fixtures.push(batchedFixture, sleepyFixture);
  else console.log(`without the batched socket: ${reason}`);
  return fixtures;
}

/** Opens the batched socket and nothing else. */
export function openBatched(host: string, port = 0, pollMicroseconds = 50): DatagramSocket {
  const connection = bindUdp({ host, port });
  return createBatchedSocket(connection, openLibc(), { pollMicroseconds });
}

function memoryFixture(): SocketFixture {
  const clock = new ManualClock();
  const network = new MemoryNetwork(clock, 1);
  let lastPort = 1_000;
  return {
    name: "in-memory socket",
    isReal: false,
    open: (host, port = ++lastPort) => network.open(host, port),
    turn: () => clock.advance(1),
    settle: () => Promise.resolve(),
  };
}

function realFixture(name: string, open: SocketFixture["open"]): SocketFixture {
  const opened: DatagramSocket[] = [];
  return {
    name,
    isReal: true,
    open: (host, port) => {
      const socket = open(host, port);
      opened.push(socket);
      return socket;
    },
    turn: () => new Promise<void>((resolve) => setTimeout(resolve, 0)),
    settle: async () => void await Promise.all(opened.map((socket) => socket.closed)),
  };
}

function portableFixture(): SocketFixture {
  return realFixture("portable socket", (host, port = 0) => openUdpSocket({ host, port }));
}

function batchedFixture(): SocketFixture {
  return realFixture("batched socket", openBatched);
}

function sleepyFixture(): SocketFixture {
  const open = (host: string, port?: number) => openBatched(host, port, 0);
  return realFixture("batched socket without polling", open);
}

/** Bytes of a test datagram in front of its pattern: number, length, checksum. */
export const STAMP_BYTES = 12;

/** Writes number, length and checksum in front of a pattern that depends on the number. */
export function stamp(bytes: Uint8Array, number: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let i = STAMP_BYTES; i < bytes.length; i++) bytes[i] = number * 31 + i * 7;
  view.setUint32(0, number, true);
  view.setUint32(4, bytes.length, true);
  view.setUint32(8, checksum(bytes), true);
}

/** The number of a datagram that is whole; `undefined` for one that is not. */
export function readStamp(bytes: Uint8Array): number | undefined {
  if (bytes.length < STAMP_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const isWhole = view.getUint32(4, true) === bytes.length &&
    view.getUint32(8, true) === checksum(bytes);
  return isWhole ? view.getUint32(0, true) : undefined;
}

function checksum(bytes: Uint8Array): number {
  let sum = bytes.length;
  for (let i = STAMP_BYTES; i < bytes.length; i++) {
    sum = (Math.imul(sum, 33) + (bytes[i] as number)) | 0;
  }
  return sum >>> 0;
}

/** Collects what a socket receives. */
export class Collector {
  /** Whole datagrams by number, with how often each came. */
  readonly numbers = new Map<number, number>();
  readonly lengths: number[] = [];
  readonly sources: SocketAddress[] = [];
  damaged = 0;
  readonly #buffer: Uint8Array;

  constructor(
    socket: DatagramSocket,
    onDatagram?: (from: SocketAddress, bytes: Uint8Array) => void,
  ) {
    const buffer = this.#buffer = new Uint8Array(socket.receiveBytes ?? 65_536);
    socket.start(buffer, (length, from, offset = 0) => {
      const bytes = this.#buffer.subarray(offset, offset + length);
      const number = readStamp(bytes);
      if (number === undefined) this.damaged += 1;
      else this.numbers.set(number, (this.numbers.get(number) ?? 0) + 1);
      this.lengths.push(length);
      this.sources.push(from);
      onDatagram?.(from, bytes);
      // Opening a packet changes its bytes; the neighbours must not notice.
      bytes.fill(0xee);
    });
  }

  get count(): number {
    return this.lengths.length;
  }

  /** Lets datagrams travel until `count` came; false when many turns bring nothing more. */
  async waitFor(count: number, fixture: SocketFixture): Promise<boolean> {
    let last = this.count;
    for (let idle = 0; idle < 500 && this.count < count; idle++) {
      await fixture.turn();
      if (this.count !== last) idle = 0;
      last = this.count;
    }
    return this.count >= count;
  }
}
