/**
 * Records a socket's datagrams in a file that packet analysers open (`net node start --pcap FILE`).
 *
 * The classic pcap format, link type RAW: each datagram behind an IP and a UDP header made for it. What is
 * recorded is what is on the wire, sealed; no key is ever written. `docs/capture.md` describes the packets.
 */
import { NetError, parseIpAddress, type SocketAddress, toNetError } from "../../../base/mod.ts";
import type { DatagramSocket } from "./socket.ts";

/** Bytes a capture may grow to before it stops. */
const CAPTURE_BYTES_MAX = 1024 ** 3;

const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const IPV4_HEADER_BYTES = 20;
const IPV6_HEADER_BYTES = 40;
const UDP_HEADER_BYTES = 8;
const UDP_PROTOCOL = 17;
const LINK_TYPE_RAW = 101;
const SNAP_BYTES = 65_535;
/** Records collected before they are written. */
const BUFFER_BYTES = 256 * 1024;
/** How long a record may wait for others. */
const FLUSH_MS = 200;

/** Counters of a capture. */
export interface CaptureCounters {
  datagrams: number;
  /** Not recorded: the file is full, or the disk. */
  dropped: number;
}

/** A capture file being written. */
export class CaptureFile {
  readonly counters: CaptureCounters = { datagrams: 0, dropped: 0 };
  readonly #file: Deno.FsFile;
  readonly #wallMs: () => number;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #view = new DataView(this.#buffer.buffer);
  readonly #bytesMax: number;
  #used = 0;
  #written = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isEnded = false;

  private constructor(file: Deno.FsFile, wallMs: () => number, bytesMax: number) {
    this.#file = file;
    this.#wallMs = wallMs;
    this.#bytesMax = bytesMax;
    const view = this.#view;
    view.setUint32(0, 0xa1b2c3d4, true);
    view.setUint16(4, 2, true);
    view.setUint16(6, 4, true);
    view.setUint32(16, SNAP_BYTES, true);
    view.setUint32(20, LINK_TYPE_RAW, true);
    this.#used = FILE_HEADER_BYTES;
  }

  /**
   * Makes the file, readable by its owner only; one that exists is replaced.
   *
   * @throws NetError `config_invalid` when it cannot be made.
   */
  static open(
    path: string,
    options: { readonly wallMs?: () => number; readonly bytesMax?: number } = {},
  ): CaptureFile {
    try {
      const file = Deno.openSync(path, { create: true, write: true, truncate: true, mode: 0o600 });
      return new CaptureFile(
        file,
        options.wallMs ?? Date.now,
        options.bytesMax ?? CAPTURE_BYTES_MAX,
      );
    } catch (error) {
      const reason = toNetError(error, "Cannot open").message;
      throw new NetError("config_invalid", `Cannot write capture "${path}": ${reason}`, {
        cause: error,
        next: "name a file that can be written with --pcap",
      });
    }
  }

  /** Records one datagram. */
  record(datagram: Uint8Array, from: SocketAddress, to: SocketAddress): void {
    const source = parseIpAddress(from.host);
    const target = parseIpAddress(to.host);
    if (source === undefined || target === undefined || this.#isEnded) {
      this.counters.dropped += 1;
      return;
    }
    // A socket bound to every address of one family may see the other one.
    const isIpv4 = source.length === 4 && target.length === 4;
    const ipBytes = isIpv4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
    const packetBytes = ipBytes + UDP_HEADER_BYTES + datagram.length;
    if (this.#written + this.#used + RECORD_HEADER_BYTES + packetBytes > this.#bytesMax) {
      this.counters.dropped += 1;
      return;
    }
    if (this.#used + RECORD_HEADER_BYTES + packetBytes > BUFFER_BYTES) this.flush();
    const view = this.#view;
    const wallMs = this.#wallMs();
    let at = this.#used;
    view.setUint32(at, Math.floor(wallMs / 1000), true);
    view.setUint32(at + 4, Math.floor(wallMs % 1000 * 1000), true);
    view.setUint32(at + 8, packetBytes, true);
    view.setUint32(at + 12, packetBytes, true);
    at += RECORD_HEADER_BYTES;
    if (isIpv4) this.#writeIpv4(at, packetBytes, source, target);
    else this.#writeIpv6(at, packetBytes - ipBytes, toIpv6(source), toIpv6(target));
    at += ipBytes;
    view.setUint16(at, from.port);
    view.setUint16(at + 2, to.port);
    view.setUint16(at + 4, packetBytes - ipBytes);
    view.setUint16(at + 6, 0); // No checksum: nothing was on a wire in this form.
    this.#buffer.set(datagram, at + UDP_HEADER_BYTES);
    this.#used = at + UDP_HEADER_BYTES + datagram.length;
    this.counters.datagrams += 1;
    this.#timer ??= setTimeout(() => this.flush(), FLUSH_MS);
  }

  /** Writes what was collected; a full disk ends the capture, not the node. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isEnded) return;
    try {
      for (let at = 0; at < this.#used;) {
        at += this.#file.writeSync(this.#buffer.subarray(at, this.#used));
      }
      this.#written += this.#used;
    } catch {
      this.#isEnded = true;
      this.counters.dropped += 1;
    }
    this.#used = 0;
  }

  /** Writes the rest and closes the file; idempotent. */
  close(): void {
    this.flush();
    if (!this.#isClosed) this.#file.close();
    this.#isClosed = true;
    this.#isEnded = true;
  }

  #isClosed = false;

  #writeIpv4(at: number, bytes: number, source: Uint8Array, target: Uint8Array): void {
    const view = this.#view;
    this.#buffer.fill(0, at, at + IPV4_HEADER_BYTES);
    view.setUint8(at, 0x45);
    view.setUint16(at + 2, bytes);
    view.setUint8(at + 8, 64);
    view.setUint8(at + 9, UDP_PROTOCOL);
    this.#buffer.set(source, at + 12);
    this.#buffer.set(target, at + 16);
    let sum = 0;
    for (let i = 0; i < IPV4_HEADER_BYTES; i += 2) sum += view.getUint16(at + i);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    view.setUint16(at + 10, ~sum & 0xffff);
  }

  #writeIpv6(at: number, payloadBytes: number, source: Uint8Array, target: Uint8Array): void {
    const view = this.#view;
    view.setUint32(at, 0x6000_0000);
    view.setUint16(at + 4, payloadBytes);
    view.setUint8(at + 6, UDP_PROTOCOL);
    view.setUint8(at + 7, 64);
    this.#buffer.set(source, at + 8);
    this.#buffer.set(target, at + 24);
  }
}

/** A socket that records what passes through it; closing it closes the file. */
export function captureSocket(socket: DatagramSocket, file: CaptureFile): DatagramSocket {
  const { localAddress } = socket;
  return {
    localAddress,
    counters: socket.counters,
    receiveBytes: socket.receiveBytes,
    closed: socket.closed,
    start: (buffer, onDatagram, onBroken) => {
      socket.start(buffer, (length, from, offset = 0) => {
        file.record(buffer.subarray(offset, offset + length), from, localAddress);
        onDatagram(length, from, offset);
      }, onBroken);
    },
    send: (bytes, to, onSent) => {
      file.record(bytes, localAddress, to);
      socket.send(bytes, to, onSent);
    },
    close: () => {
      socket.close();
      file.close();
    },
  };
}

function toIpv6(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 16) return bytes;
  const mapped = new Uint8Array(16);
  mapped.fill(0xff, 10, 12);
  mapped.set(bytes, 12);
  return mapped;
}
