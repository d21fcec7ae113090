/** One end of `udp.ts` in a process of its own, told what to do by JSON lines. */

import { type DatagramSocket, openBestUdpSocket } from "../src/core/transport/mod.ts";
import { serveLines } from "../test/interop/serve_lines.ts";

/** As many as the transport keeps. */
const SLOTS = 512;
/** The clock is looked at once in so many datagrams. */
const CLOCK_EVERY = 64;

/** What {@linkcode UdpOperations.open} opens. */
export interface UdpOpenOptions {
  readonly kind: "auto" | "portable";
  readonly pollMicroseconds: number;
}

/** Counts of a receiver. */
export interface UdpCounts {
  readonly datagrams: number;
  readonly bytes: number;
  /** From the first to the last datagram. */
  readonly seconds: number;
  /** Resident memory. */
  readonly residentBytes: number;
}

/** Every operation: its arguments and its result. */
export interface UdpOperations {
  open: [UdpOpenOptions, { port: number }];
  /** Sends as fast as slots come back; the result says how many. */
  blast: [{ port: number; sizeBytes: number; milliseconds: number }, { datagrams: number }];
  /** Counts since the last call. */
  counts: [Record<never, never>, UdpCounts];
  /** Sends back what comes. */
  echo: [Record<never, never>, null];
  /** Round trips one after the other; microseconds, sorted. */
  roundTrips: [{ port: number; count: number }, { microseconds: number[] }];
}

type Handlers = {
  [Name in keyof UdpOperations]: (
    args: UdpOperations[Name][0],
  ) => UdpOperations[Name][1] | Promise<UdpOperations[Name][1]>;
};

function createHandlers(): Handlers {
  let socket: DatagramSocket | undefined;
  let datagrams = 0;
  let bytes = 0;
  let firstMs = 0;
  let lastMs = 0;
  let isEcho = false;
  let onDatagram = () => {};
  const opened = (): DatagramSocket => {
    if (socket === undefined) throw new Error("The socket is not open");
    return socket;
  };
  return {
    open: (options) => {
      const made = socket = openBestUdpSocket({ host: "127.0.0.1", port: 0 }, options);
      const buffer = new Uint8Array(made.receiveBytes ?? 65_536);
      made.start(buffer, (length, from, offset = 0) => {
        if (datagrams % CLOCK_EVERY === 0) lastMs = performance.now();
        if (datagrams === 0) firstMs = lastMs;
        datagrams += 1;
        bytes += length;
        if (isEcho) made.send(buffer.slice(offset, offset + length), from, () => {});
        onDatagram();
      });
      return { port: made.localAddress.port };
    },
    blast: ({ port, sizeBytes, milliseconds }) => blast(opened(), port, sizeBytes, milliseconds),
    counts: () => {
      const seconds = (lastMs - firstMs) / 1000;
      const counts = { datagrams, bytes, seconds, residentBytes: Deno.memoryUsage().rss };
      datagrams = bytes = 0;
      return counts;
    },
    echo: () => {
      isEcho = true;
      return null;
    },
    roundTrips: async ({ port, count }) => {
      const to = { host: "127.0.0.1", port };
      const datagram = new Uint8Array(64);
      const microseconds: number[] = [];
      for (let i = 0; i < count; i++) {
        const startMs = performance.now();
        await new Promise<void>((resolve) => {
          onDatagram = resolve;
          opened().send(datagram, to, () => {});
        });
        microseconds.push((performance.now() - startMs) * 1000);
      }
      return { microseconds: microseconds.sort((a, b) => a - b) };
    },
  };
}

async function blast(
  socket: DatagramSocket,
  port: number,
  sizeBytes: number,
  milliseconds: number,
): Promise<{ datagrams: number }> {
  const to = { host: "127.0.0.1", port };
  const memory = new Uint8Array(SLOTS * sizeBytes);
  const free: Uint8Array[] = [];
  const releases = new Map<Uint8Array, () => void>();
  for (let i = 0; i < SLOTS; i++) {
    const slot = memory.subarray(i * sizeBytes, (i + 1) * sizeBytes);
    free.push(slot);
    releases.set(slot, () => void free.push(slot));
  }
  let datagrams = 0;
  const until = performance.now() + milliseconds;
  while (performance.now() < until) {
    for (let i = 0; i < CLOCK_EVERY; i++) {
      const slot = free.pop();
      const release = slot === undefined ? undefined : releases.get(slot);
      if (slot === undefined || release === undefined) break;
      socket.send(slot, to, release);
      datagrams += 1;
    }
    if (free.length === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    else await null;
  }
  return { datagrams };
}

if (import.meta.main) await serveLines(createHandlers());
