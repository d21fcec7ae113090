/**
 * Asks peers again and again where they see this node, and what that says of its NAT (`nrpc.md` 16).
 *
 * Class and address are replaced together, also by nothing: when every peer is silent, an address of
 * before is as good as a guess (promise 70).
 */
import { type Clock, repeat } from "../../base/mod.ts";
import {
  type Classification,
  classifyReflex,
  isDirectPeer,
  type MeshTransport,
  type NatCounters,
  REFLEX_ANSWERS_MIN,
  REFLEX_PEERS_MAX,
  type SocketAddress,
  UNKNOWN_NAT,
} from "../../core/transport/mod.ts";

/** What {@linkcode ClassificationLoop} needs. */
export interface ClassificationLoopDeps {
  readonly clock: Clock;
  readonly counters: NatCounters;
  readonly transport: Pick<
    MeshTransport,
    "localAddress" | "peers" | "peer" | "connectedPeers" | "queryReflex" | "onPeerChange"
  >;
  /** Addresses of this machine in canonical text, for a socket bound to all of them. */
  readonly ownHosts?: () => readonly string[];
  /** The result, when it is another one than before. */
  readonly onChange: (result: Classification) => void;
}

const EVERY_MS = 60_000;
/** After the peer that makes enough of them: others may be about to come as well. */
const SOON_MS = 500;

/** Keeps a classification up to date. */
export class ClassificationLoop {
  readonly #deps: ClassificationLoopDeps;
  #result = UNKNOWN_NAT;
  #stops: (() => void)[] = [];
  #cancelSoon: (() => void) | undefined;
  /** The sweep under way; another one does not begin meanwhile, and one that was stopped says nothing. */
  #sweep: symbol | undefined;

  constructor(deps: ClassificationLoopDeps) {
    this.#deps = deps;
  }

  /** What the last answers said. */
  get result(): Classification {
    return this.#result;
  }

  /** Begins; idempotent. */
  start(): void {
    if (this.#stops.length > 0) return;
    const { clock, transport } = this.#deps;
    this.#stops = [
      repeat(clock, EVERY_MS, () => void this.#ask()),
      transport.onPeerChange((_, isConnected) => {
        if (isConnected && this.#result.natClass === "unknown") this.#askSoon();
      }),
    ];
    this.#askSoon();
  }

  /** Ends asking; the last result is forgotten. */
  stop(): void {
    for (const stop of this.#stops) stop();
    this.#stops = [];
    this.#cancelSoon?.();
    this.#cancelSoon = undefined;
    this.#sweep = undefined;
    this.#result = UNKNOWN_NAT;
  }

  #askSoon(): void {
    this.#cancelSoon ??= this.#deps.clock.after(SOON_MS, () => {
      this.#cancelSoon = undefined;
      void this.#ask();
    });
  }

  async #ask(): Promise<void> {
    if (this.#sweep !== undefined) return;
    const { counters, transport, ownHosts, onChange } = this.#deps;
    const peers = this.#directPeers();
    if (peers.length < REFLEX_ANSWERS_MIN) return;
    const sweep = this.#sweep = Symbol();
    counters.reflex_queries_total += peers.length;
    const outcomes = await Promise.allSettled(peers.map((peer) => transport.queryReflex(peer)));
    if (this.#sweep !== sweep) return;
    this.#sweep = undefined;
    const answers: SocketAddress[] = [];
    for (const outcome of outcomes) {
      if (outcome.status === "fulfilled") answers.push(outcome.value);
      else counters.reflex_failures_total += 1;
    }
    const before = this.#result;
    const result = this.#result = classifyReflex(answers, transport.localAddress, ownHosts?.());
    const isSame = before.natClass === result.natClass &&
      before.reflex?.host === result.reflex?.host && before.reflex?.port === result.reflex?.port;
    if (!isSame) onChange(result);
  }

  /** As many as are asked at once. What a relayed peer sees is the relay. */
  #directPeers(): bigint[] {
    const { transport } = this.#deps;
    const peers: bigint[] = [];
    for (const nodeId of transport.connectedPeers()) {
      const peer = transport.peer(nodeId);
      if (peer !== undefined && isDirectPeer(peer)) peers.push(nodeId);
      if (peers.length === REFLEX_PEERS_MAX) break;
    }
    return peers;
  }
}
