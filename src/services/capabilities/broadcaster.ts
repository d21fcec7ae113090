/**
 * Says this node's announcement to its peers (`capabilities.md` 6, "Sending"): to a new one at once, to
 * all of them after a change and from time to time.
 */
import type { Clock } from "../../base/mod.ts";
import { type AnnounceSchedule, SUBPROTOCOL_ANNOUNCEMENT } from "../../core/capability/mod.ts";
import type { MeshTransport } from "../../core/transport/mod.ts";
import type { OwnCapabilities } from "./own_capabilities.ts";

/** What {@linkcode Broadcaster} needs. */
export interface BroadcasterDeps {
  readonly clock: Clock;
  readonly transport: () => MeshTransport;
  readonly own: OwnCapabilities;
  readonly schedule: AnnounceSchedule;
}

const STREAM_ID = BigInt(SUBPROTOCOL_ANNOUNCEMENT);
/** Peers told in one go, and the pause until the next ones are: 10,000 take less than a second. */
const PUSH_SLICE = 64;
const PUSH_PAUSE_MS = 5;

/** Sends, when it is time. */
export class Broadcaster {
  readonly #deps: BroadcasterDeps;
  #cancelPush: () => void = () => {};
  #cancelBroadcast: () => void = () => {};

  constructor(deps: BroadcasterDeps) {
    this.#deps = deps;
  }

  /** There is something new to say. */
  announceSoon(): void {
    const { schedule, clock } = this.#deps;
    schedule.change(clock.now());
    this.#arm();
  }

  /** Milliseconds until peers are told of the latest change; `undefined` when they were. */
  get untilBroadcastMs(): number | undefined {
    const { schedule, clock } = this.#deps;
    const { dueAt, hasChange } = schedule;
    if (!hasChange || dueAt === undefined) return undefined;
    return Math.max(0, dueAt - clock.now());
  }

  /** Tells one peer now. */
  push(peer: bigint): void {
    const { transport, own } = this.#deps;
    transport().sendMessage(peer, SUBPROTOCOL_ANNOUNCEMENT, STREAM_ID, own.bytes);
  }

  /** Passes on what somebody else said. */
  forward(peers: Iterable<bigint>, bytes: Uint8Array): void {
    const transport = this.#deps.transport();
    for (const peer of peers) {
      transport.sendMessage(peer, SUBPROTOCOL_ANNOUNCEMENT, STREAM_ID, bytes);
    }
  }

  /** Says nothing more. */
  stop(): void {
    this.#cancelBroadcast();
    this.#cancelPush();
  }

  /** Sets the timer of the next broadcast. */
  #arm(): void {
    const { clock, schedule } = this.#deps;
    const { dueAt } = schedule;
    this.#cancelBroadcast();
    this.#cancelBroadcast = dueAt === undefined
      ? () => {}
      : clock.after(Math.max(0, dueAt - clock.now()), () => this.#broadcast());
  }

  #broadcast(): void {
    const { clock, transport, own, schedule } = this.#deps;
    const peers = transport().connectedPeers();
    if (schedule.take(clock.now(), peers.length > 0)) {
      own.renew();
      this.#cancelPush();
      this.#pushSlice(peers, 0);
    }
    this.#arm();
  }

  /** Tells many peers a slice at a time: all at once would be a burst that drowns other packets. */
  #pushSlice(peers: readonly bigint[], start: number): void {
    const end = start + PUSH_SLICE;
    for (const peer of peers.slice(start, end)) this.push(peer);
    this.#cancelPush = end < peers.length
      ? this.#deps.clock.after(PUSH_PAUSE_MS, () => this.#pushSlice(peers, end))
      : () => {};
  }
}
