/**
 * One question to a gateway over UDP: sent again until its deadline, answered only by the one that was
 * asked. Everything else that arrives is counted and ignored.
 */
import type { Clock, SocketAddress } from "../../../base/mod.ts";
import type { DatagramSocket } from "../socket/socket.ts";
import { type PortMapCounters, PortMapError } from "./types.ts";

/** What talking to a gateway over UDP needs. */
export interface ExchangeDeps {
  readonly clock: Clock;
  readonly counters: PortMapCounters;
  /**
   * Binds a socket on the address of this machine that the gateway is reached from.
   *
   * @throws NetError when the address is not there any more.
   */
  readonly openSocket: (local: SocketAddress) => DatagramSocket;
}

/** One question. */
export interface ExchangeOptions<T> {
  readonly localHost: string;
  /** Where each datagram goes, all at every time in `sendAtMs`. */
  readonly to: SocketAddress;
  readonly requests: readonly Uint8Array[];
  /** Milliseconds from the start, ascending, the first one 0. */
  readonly sendAtMs: readonly number[];
  readonly deadlineMs: number;
  /** Whether somebody may answer at all. */
  readonly isAnswerer: (from: SocketAddress) => boolean;
  /** Reads an answer; `undefined` for what answers something else. The bytes are valid during the call. */
  readonly read: (bytes: Uint8Array) => T | undefined;
  readonly bytesMax: number;
  readonly signal?: AbortSignal;
}

/**
 * The first answer, or `undefined` when the deadline passed.
 *
 * @throws PortMapError `network` when no socket could be opened; the signal's reason once aborted.
 */
export function exchange<T>(
  { clock, counters, openSocket }: ExchangeDeps,
  options: ExchangeOptions<T>,
): Promise<T | undefined> {
  const { localHost, to, requests, sendAtMs, deadlineMs, signal } = options;
  if (signal?.aborted) return Promise.reject(signal.reason);
  let socket: DatagramSocket;
  try {
    socket = openSocket({ host: localHost, port: 0 });
  } catch (cause) {
    const message = `Cannot ask the gateway from ${localHost}: no socket there`;
    return Promise.reject(new PortMapError("network", message, { cause }));
  }
  const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
  // A datagram of more bytes than an answer may have is cut by the buffer and then refused as too long.
  const buffer = new Uint8Array(options.bytesMax + 1);
  socket.start(buffer, (length, from, offset = 0) => {
    if (!options.isAnswerer(from)) {
      counters.dropped_source_total += 1;
      return;
    }
    const answer = length > options.bytesMax
      ? undefined
      : options.read(buffer.subarray(offset, offset + length));
    if (answer === undefined) counters.dropped_answer_total += 1;
    else resolve(answer);
  }, (error) => reject(new PortMapError("network", "Cannot hear the gateway", { cause: error })));
  const send = () => {
    for (const request of requests) {
      counters.datagrams_sent_total += 1;
      socket.send(request, to, () => {});
    }
  };
  const cancels = sendAtMs.filter((ms) => ms > 0).map((ms) => clock.after(ms, send));
  cancels.push(clock.after(deadlineMs, () => resolve(undefined)));
  const onAbort = () => reject(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  send();
  return promise.finally(() => {
    for (const cancel of cancels) cancel();
    signal?.removeEventListener("abort", onAbort);
    socket.close();
  });
}
