/**
 * Mesh links in memory: nodes that exchange messages and stream events on a clock of the test.
 *
 * Streams are reliable as the real ones are: a lost event comes later, so loss shows as reordering.
 */
import { type Clock, NetError } from "../../src/base/mod.ts";
import type {
  MeshLink,
  OpenSendStreamOptions,
  ReceiveStreamHandler,
  SendStream,
  StreamEnd,
  SubprotocolMessage,
} from "../../src/core/transport/mod.ts";

/** Cost of an event beside its payload: packet overhead and length prefix. */
const EVENT_OVERHEAD = 88;

/** A message or an event on its way. */
export interface Parcel {
  readonly from: bigint;
  readonly to: bigint;
  readonly kind: "message" | "event";
  readonly streamId: bigint;
  readonly sequence: number;
  /** May be replaced, to play a liar. */
  payload: Uint8Array;
}

/** What becomes of a parcel. */
export type Fate = "deliver" | "lose" | "duplicate";

/** The wires between fake links. */
export class FakeNetwork {
  readonly clock: Clock;
  /** One way. */
  delayMs = 1;
  /** Of lost events until they come again. */
  resendMs = 50;
  /** False plays receivers that forget a stream before they acknowledged it. */
  isAcknowledging = true;
  /** Decides about every parcel. */
  fate: (parcel: Parcel) => Fate = () => "deliver";
  readonly #links = new Map<bigint, FakeLink>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Adds a node without sessions. */
  add(nodeId: bigint): FakeLink {
    const link = new FakeLink(this, nodeId);
    this.#links.set(nodeId, link);
    return link;
  }

  link(nodeId: bigint): FakeLink | undefined {
    return this.#links.get(nodeId);
  }

  /** Opens a session. */
  connect(left: FakeLink, right: FakeLink): void {
    left.setConnected(right.nodeId, true);
    right.setConnected(left.nodeId, true);
  }

  /** Ends a session; both sides notice. */
  disconnect(left: FakeLink, right: FakeLink): void {
    left.setConnected(right.nodeId, false);
    right.setConnected(left.nodeId, false);
  }

  /** Carries a parcel; `resend` runs when it was lost. */
  carry(parcel: Parcel, onLost: () => void): void {
    const fate = this.fate(parcel);
    if (fate === "lose") return onLost();
    const deliver = () => {
      const target = this.#links.get(parcel.to);
      if (target !== undefined && !target.isFrozen) target.receive(parcel);
    };
    this.clock.after(this.delayMs, deliver);
    if (fate === "duplicate") this.clock.after(this.delayMs * 2, deliver);
  }
}

/** One node's end. */
export class FakeLink implements MeshLink {
  readonly nodeId: bigint;
  /** True plays a process that was killed: it says and hears nothing, and nobody is told. */
  isFrozen = false;
  /** Peers reported silent, in order. */
  readonly silences: bigint[] = [];
  readonly #network: FakeNetwork;
  readonly #peers = new Set<bigint>();
  readonly #handlers = new Map<number, (message: SubprotocolMessage) => void>();
  readonly #receivers = new Map<string, ReceiveStreamHandler>();
  readonly #senders = new Map<string, FakeSendStream>();
  readonly #watchers = new Set<(peer: bigint, isConnected: boolean) => void>();

  constructor(network: FakeNetwork, nodeId: bigint) {
    this.#network = network;
    this.nodeId = nodeId;
  }

  /** Streams that are open in either direction. */
  get streamsOpen(): number {
    return this.#receivers.size + this.#senders.size;
  }

  connectedPeers(): readonly bigint[] {
    return [...this.#peers];
  }

  sendMessage(
    peer: bigint,
    subprotocol: number,
    streamId: bigint,
    payload: Uint8Array,
    options?: { readonly sequence?: number },
  ): boolean {
    if (!this.#peers.has(peer)) return false;
    if (this.isFrozen) return true;
    const sequence = options?.sequence ?? 0;
    const parcel: Parcel = {
      from: this.nodeId,
      to: peer,
      kind: "message",
      streamId,
      sequence,
      payload: payload.slice(),
    };
    this.#subprotocols.set(parcel, subprotocol);
    this.#network.carry(parcel, () => {});
    return true;
  }

  onMessage(subprotocol: number, handler: (message: SubprotocolMessage) => void): () => void {
    this.#handlers.set(subprotocol, handler);
    return () => this.#handlers.delete(subprotocol);
  }

  openSendStream(peer: bigint, streamId: bigint, options?: OpenSendStreamOptions): SendStream {
    this.#requireSession(peer);
    const key = `${peer}/${streamId}`;
    const stream = new FakeSendStream(this.#network, this, peer, streamId, {
      windowBytes: options?.windowBytes ?? 65_536,
      onGone: () => this.#senders.delete(key),
    });
    this.#senders.set(key, stream);
    return stream;
  }

  openReceiveStream(
    peer: bigint,
    streamId: bigint,
    handler: ReceiveStreamHandler,
  ): () => void {
    this.#requireSession(peer);
    const key = `${peer}/${streamId}`;
    this.#receivers.set(key, handler);
    return () => {
      if (this.#receivers.get(key) === handler) this.#receivers.delete(key);
    };
  }

  onPeerChange(handler: (peer: bigint, isConnected: boolean) => void): () => void {
    this.#watchers.add(handler);
    return () => this.#watchers.delete(handler);
  }

  reportSilence(peer: bigint): void {
    this.silences.push(peer);
  }

  /** Opens or ends the session with `peer`, as seen from here. */
  setConnected(peer: bigint, isConnected: boolean): void {
    if (isConnected) this.#peers.add(peer);
    else {
      this.#peers.delete(peer);
      this.#endStreams(peer, "peer_lost");
    }
    for (const watcher of [...this.#watchers]) watcher(peer, isConnected);
  }

  /** Ends the receiving half of a stream, as a RESET does. */
  reset(peer: bigint, streamId: bigint): void {
    const key = `${peer}/${streamId}`;
    const handler = this.#receivers.get(key);
    this.#receivers.delete(key);
    handler?.onEnd("reset");
  }

  /** Takes a parcel that arrived. */
  receive(parcel: Parcel): void {
    const { from, streamId, sequence } = parcel;
    if (!this.#peers.has(from)) return;
    // Payloads are valid during the call only; afterwards they are spoiled.
    const payload = parcel.payload.slice();
    if (parcel.kind === "event") {
      this.#receivers.get(`${from}/${streamId}`)?.onEvent(sequence, payload, 0);
    } else {
      const subprotocol = this.#network.link(from)?.subprotocolOf(parcel) ?? 0;
      this.#handlers.get(subprotocol)?.({ from, subprotocol, streamId, sequence, payload });
    }
    payload.fill(0xee);
  }

  /** Subprotocol of a message this link sent. */
  subprotocolOf(parcel: Parcel): number | undefined {
    return this.#subprotocols.get(parcel);
  }

  readonly #subprotocols = new WeakMap<Parcel, number>();

  #requireSession(peer: bigint): void {
    if (!this.#peers.has(peer)) throw new NetError("unreachable", "Cannot reach node: no session");
  }

  #endStreams(peer: bigint, reason: StreamEnd): void {
    for (const [key, handler] of [...this.#receivers]) {
      if (!key.startsWith(`${peer}/`)) continue;
      this.#receivers.delete(key);
      handler.onEnd(reason);
    }
    for (const [key, sender] of [...this.#senders]) if (key.startsWith(`${peer}/`)) sender.end();
  }
}

class FakeSendStream implements SendStream {
  readonly peer: bigint;
  readonly streamId: bigint;
  readonly #network: FakeNetwork;
  readonly #link: FakeLink;
  readonly #onGone: () => void;
  #credit: number;
  #sequence = 0;
  #unacked = 0;
  #isEnded = false;
  #waiters: (() => void)[] = [];

  constructor(
    network: FakeNetwork,
    link: FakeLink,
    peer: bigint,
    streamId: bigint,
    options: { readonly windowBytes: number; readonly onGone: () => void },
  ) {
    this.#network = network;
    this.#link = link;
    this.peer = peer;
    this.streamId = streamId;
    this.#credit = options.windowBytes;
    this.#onGone = options.onGone;
  }

  trySend(event: Uint8Array): boolean {
    this.#assertOpen();
    const cost = event.length + EVENT_OVERHEAD;
    if (cost > this.#credit) return false;
    this.#credit -= cost;
    this.#unacked += 1;
    this.#carry(this.#sequence++, event.slice(), cost);
    return true;
  }

  async ready(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#assertOpen();
    await this.#wait(options.signal);
    this.#assertOpen();
  }

  async close(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    while (this.#unacked > 0) {
      this.#assertOpen();
      await this.#wait(options.signal);
    }
    this.#assertOpen();
    this.end();
  }

  abort(): void {
    if (this.#isEnded) return;
    this.end();
    const { peer, streamId } = this;
    this.#network.clock.after(this.#network.delayMs, () => {
      this.#network.link(peer)?.reset(this.#link.nodeId, streamId);
    });
  }

  /** Ends it without a word. */
  end(): void {
    this.#isEnded = true;
    this.#onGone();
    this.#wake();
  }

  #carry(sequence: number, payload: Uint8Array, cost: number): void {
    if (this.#isEnded || this.#link.isFrozen) return;
    const { clock, delayMs, resendMs } = this.#network;
    const from = this.#link.nodeId;
    const parcel: Parcel = {
      from,
      to: this.peer,
      kind: "event",
      streamId: this.streamId,
      sequence,
      payload,
    };
    let isLost = false;
    this.#network.carry(parcel, () => {
      isLost = true;
      clock.after(resendMs, () => this.#carry(sequence, payload, cost));
    });
    if (isLost) return;
    clock.after(delayMs * 2, () => {
      const isHeard = this.#network.isAcknowledging && !this.#network.link(this.peer)?.isFrozen;
      if (this.#isEnded || !isHeard) return;
      this.#credit += cost;
      this.#unacked -= 1;
      this.#wake();
    });
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const onAbort = () => reject(signal?.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiters.push(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
    });
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  #assertOpen(): void {
    if (this.#isEnded) throw new NetError("unreachable", "Cannot send on stream: it ended");
  }
}
