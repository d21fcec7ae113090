/**
 * Takes relayed peers off their relay when the NATs allow it and nothing is lost by it (`nrpc.md` 16,
 * `wire.md` 13.4). Of two nodes the one with the lower id does it.
 *
 * A sealed session moves to the new way with all that is under way on it. A compat one cannot: a new
 * session takes its place, which would end its streams, so it has to be idle.
 */
import { type Clock, idToHex, type RandomBytes, repeat } from "../../base/mod.ts";
import {
  decidePair,
  type DirectConnector,
  type MeshTransport,
  type NatClass,
  type NatCounters,
  type SocketAddress,
  UpgradeSchedule,
} from "../../core/transport/mod.ts";
import type { Log } from "../../observe/mod.ts";

/** What {@linkcode Upgrader} needs. */
export interface UpgraderDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: RandomBytes;
  readonly counters: NatCounters;
  readonly transport: Pick<
    MeshTransport,
    "nodeId" | "peer" | "connectedPeers" | "streams" | "onPeerChange" | "onPeerMoved"
  >;
  readonly connect: DirectConnector["connect"];
  readonly ownClass: () => NatClass;
  readonly peerClass: (nodeId: bigint) => NatClass;
  readonly peerReflex: (nodeId: bigint) => SocketAddress | undefined;
}

const LOOK_MS = 1_000;
/** Attempts at once. */
const UPGRADES_MAX = 4;
/** Time for one attempt: a dial, then a punch. */
const UPGRADE_TIMEOUT_MS = 10_000;

/** Looks after relayed peers. */
export class Upgrader {
  readonly #deps: UpgraderDeps;
  readonly #schedule: UpgradeSchedule;
  /** Relayed peers that it falls to this node to upgrade. */
  readonly #relayed = new Set<bigint>();
  readonly #running = new Set<bigint>();
  readonly #abort = new AbortController();
  #stops: (() => void)[] = [];

  constructor(deps: UpgraderDeps) {
    this.#deps = deps;
    this.#schedule = new UpgradeSchedule(() => (deps.random(1)[0] ?? 0) / 256);
  }

  /** Begins. */
  start(): void {
    const { clock, transport } = this.#deps;
    this.#stops = [
      transport.onPeerChange((peer) => this.#note(peer)),
      transport.onPeerMoved((peer) => this.#note(peer)),
      repeat(clock, LOOK_MS, () => this.#look()),
    ];
    for (const peer of transport.connectedPeers()) this.#note(peer);
  }

  /** Ends; attempts under way are given up. */
  stop(): void {
    for (const stop of this.#stops) stop();
    this.#stops = [];
    this.#abort.abort();
  }

  #note(nodeId: bigint): void {
    const { transport } = this.#deps;
    const peer = transport.peer(nodeId);
    const isOurs = peer?.isRelayed === true && transport.nodeId < nodeId;
    if (isOurs) this.#relayed.add(nodeId);
    else this.#relayed.delete(nodeId);
  }

  #look(): void {
    const { clock, transport, counters } = this.#deps;
    this.#schedule.keep(this.#relayed);
    const now = clock.now();
    for (const nodeId of this.#relayed) {
      if (this.#running.size >= UPGRADES_MAX) return;
      if (this.#running.has(nodeId) || !this.#mayWork(nodeId)) continue;
      if (transport.peer(nodeId)?.state !== "connected") continue;
      if (!this.#schedule.isDue(nodeId, now)) continue;
      const isBusy = this.#isBusy(nodeId);
      if (isBusy && transport.peer(nodeId)?.isSealed !== true) {
        counters.upgrades_deferred_busy += 1;
        this.#schedule.onDeferred(nodeId, now);
      } else void this.#upgrade(nodeId, !isBusy);
    }
  }

  /** True when the peer says where it is, and the two NATs are not hopeless. */
  #mayWork(nodeId: bigint): boolean {
    const { ownClass, peerClass, peerReflex } = this.#deps;
    return peerReflex(nodeId) !== undefined &&
      decidePair(ownClass(), peerClass(nodeId)) !== "relay";
  }

  /** True when a new session would end a stream that is in use. */
  #isBusy(nodeId: bigint): boolean {
    return this.#deps.transport.streams(nodeId).some(({ send, receive }) =>
      (send !== undefined && !send.isClosed) || (receive !== undefined && !receive.isClosed)
    );
  }

  async #upgrade(nodeId: bigint, mayReplace: boolean): Promise<void> {
    const { clock, log, counters, connect } = this.#deps;
    this.#running.add(nodeId);
    counters.upgrades_attempted += 1;
    try {
      const { outcome, attempts } = await connect(nodeId, {
        isUpgrade: true,
        mayReplace,
        timeoutMs: UPGRADE_TIMEOUT_MS,
        signal: this.#abort.signal,
      });
      const isDirect = outcome === "direct";
      if (isDirect) counters.upgrades_succeeded += 1;
      else this.#schedule.onFailed(nodeId, clock.now());
      log[isDirect ? "info" : "debug"](isDirect ? "peer_upgraded" : "peer_upgrade_failed", {
        peer: idToHex(nodeId),
        reason: attempts.at(-1)?.reason,
      });
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      this.#schedule.onFailed(nodeId, clock.now());
      log.debug("peer_upgrade_failed", {
        peer: idToHex(nodeId),
        reason: error instanceof Error ? error.message : String(error),
      });
    } finally {
      this.#running.delete(nodeId);
    }
  }
}
