/**
 * A UDP relay between one node and another that loses what its rule says, in both directions.
 *
 * Its sockets have large kernel buffers, so that nothing is lost but by the rule. Rules are seeded or
 * count, so that a failing run repeats as far as real time allows.
 */
import { openUdpSocket, type SocketAddress } from "../../src/core/transport/mod.ts";

const DATAGRAM_BYTES_MAX = 65_536;

/** Whither a datagram goes: to the node the proxy stands in front of, or back from it. */
export type Direction = "toTarget" | "fromTarget";

/** True for a datagram that is lost; its bytes are valid only during the call. */
export type LossRule = (direction: Direction, datagram: Uint8Array) => boolean;

/** What became of the datagrams of one direction since the rule was set. */
export interface ProxyCounts {
  passed: number;
  lost: number;
}

/** A running proxy. */
export interface LossyProxy extends Disposable {
  /** Address to dial instead of the target's, `ip:port`. */
  readonly address: string;
  readonly counts: Readonly<Record<Direction, ProxyCounts>>;
  /** Loses by this rule from now on, and counts anew; nothing is lost without one. */
  lose(rule?: LossRule): void;
  /** Sends the target a datagram of its own, as if the client had. */
  inject(datagram: Uint8Array): void;
}

/** Loses each datagram with the given probability; one generator (xorshift32) per direction. */
export function seededLoss(seed: number, rate: number): LossRule {
  const states = { toTarget: mix(seed), fromTarget: mix(seed ^ 0x5bd1e995) };
  const limit = rate * 0x1_0000_0000;
  return (direction) => {
    let state = states[direction];
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    states[direction] = state;
    return state >>> 0 < limit;
  };
}

/** Loses every `n`th datagram of each direction. */
export function everyNth(n: number): LossRule {
  const counts = { toTarget: 0, fromTarget: 0 };
  return (direction) => ++counts[direction] % n === 0;
}

/**
 * Relays between one client, whoever sent last, and `target`.
 *
 * @param target Address of the node behind the proxy, `ip:port`.
 */
export function startLossyProxy(target: string): LossyProxy {
  const front = openUdpSocket({ host: "127.0.0.1", port: 0 });
  const back = openUdpSocket({ host: "127.0.0.1", port: 0 });
  const counts = { toTarget: { passed: 0, lost: 0 }, fromTarget: { passed: 0, lost: 0 } };
  let rule: LossRule | undefined;
  let client: SocketAddress | undefined;
  const pass = (
    direction: Direction,
    bytes: Uint8Array,
    out: typeof front,
    to: SocketAddress | undefined,
  ) => {
    if (to === undefined) return;
    if (rule?.(direction, bytes)) {
      counts[direction].lost += 1;
      return;
    }
    counts[direction].passed += 1;
    // The receive buffer is used again before the copy has left.
    out.send(bytes.slice(), to, () => {});
  };
  const fromClient = new Uint8Array(DATAGRAM_BYTES_MAX);
  const fromTarget = new Uint8Array(DATAGRAM_BYTES_MAX);
  const destination = parseAddress(target);
  front.start(fromClient, (length, source) => {
    client = source;
    pass("toTarget", fromClient.subarray(0, length), back, destination);
  });
  back.start(fromTarget, (length) => {
    pass("fromTarget", fromTarget.subarray(0, length), front, client);
  });
  return {
    address: formatAddress(front.localAddress),
    counts,
    lose: (next) => {
      rule = next;
      for (const each of Object.values(counts)) each.passed = each.lost = 0;
    },
    inject: (datagram) => back.send(datagram.slice(), destination, () => {}),
    [Symbol.dispose]: () => {
      front.close();
      back.close();
    },
  };
}

/** Sends datagrams to `target`, `ip:port`, from a socket that nobody knows. */
export async function sendAsStranger(
  target: string,
  datagrams: readonly Uint8Array[],
): Promise<void> {
  const socket = openUdpSocket({ host: "127.0.0.1", port: 0 });
  const to = parseAddress(target);
  for (const datagram of datagrams) {
    await new Promise<void>((resolve) => socket.send(datagram, to, resolve));
  }
  socket.close();
}

/** `ip:port` in parts. */
export function parseAddress(text: string): SocketAddress {
  const [host = "", port] = text.split(":");
  return { host, port: Number(port) };
}

function formatAddress({ host, port }: SocketAddress): string {
  return `${host}:${port}`;
}

/** Spreads a small seed over 32 bits; never 0, where the generator would stay. */
function mix(seed: number): number {
  const state = Math.imul(seed ^ (seed >>> 16), 0x45d9f3b);
  return (state ^ (state >>> 16)) || 1;
}
