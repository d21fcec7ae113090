/**
 * The fold service: keeps what nodes say of classes, routes, resources and islands, says what this node
 * has to say, and passes on what others said (`capabilities.md` 11, 12; promises C3 to C5).
 *
 * A peer is believed in its own name only, and only once its entity is known. Class 0 of the capability
 * fold holds what was announced; it comes from the capability service and is never sent from here.
 */
import { type Clock, idToHex, repeat } from "../base/mod.ts";
import {
  ANNOUNCED_CLASS,
  announcedMembership,
  type AnyFoldEnvelope,
  type CapabilityMembership,
  encodeFoldEnvelope,
  FOLD_SWEEP_MS,
  type FoldChange,
  type FoldKey,
  type FoldKindNumber,
  type FoldOutcome,
  type FoldReach,
  FoldRelay,
  FoldSet,
  type FoldStatement,
  GLOBAL_REACH,
  membershipKey,
  OwnStatements,
  type RelayVerdict,
  SUBPROTOCOL_FOLD,
  SUBPROTOCOL_FOLD_RELAY,
  TAG_FOLD_RELAY,
} from "../core/capability/mod.ts";
import type { NodeKeys } from "../core/crypto/mod.ts";
import type { SubprotocolMessage } from "../core/transport/mod.ts";
import type { Service, ServiceHealth } from "../kernel/mod.ts";
import type { Log, MetricRegistry } from "../observe/mod.ts";
import type { CapabilityService, KnownCapabilities } from "./capabilities/mod.ts";
import { FoldSender } from "./fold_sender.ts";
import { type FoldMemory, FoldSnapshots } from "./fold_snapshots.ts";
import type { MeshService } from "./mesh.ts";

/** What {@linkcode FoldService} needs. */
export interface FoldServiceDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  readonly mesh: MeshService;
  readonly keys: NodeKeys;
  readonly capabilities: CapabilityService;
  /** `undefined` for a node that keeps nothing. */
  readonly memory: FoldMemory | undefined;
  /** How far statements go; everywhere when left out. */
  readonly reach?: FoldReach;
}

/** Options of {@linkcode FoldService}. */
export interface FoldServiceOptions {
  /** Time between snapshots in milliseconds, 0 for only at the end; 300000 when left out. */
  readonly snapshotMs?: number;
}

const SOURCE = "folds";
const SNAPSHOT_MS = 300_000;
/** Statements are looked through for those to repeat this often. */
const REPEAT_MS = 500;
/** A new peer is told this much later: it has to know this node's announcement first. */
const PUSH_DELAY_MS = 250;

/** Folds of this node, and what it says in those of others. */
export class FoldService implements Service {
  readonly name = "folds";
  readonly folds: FoldSet;
  readonly #deps: FoldServiceDeps;
  readonly #snapshotMs: number;
  readonly #own: OwnStatements;
  readonly #relay: FoldRelay;
  readonly #snapshots: FoldSnapshots;
  readonly #pushes = new Set<() => void>();
  #sender: FoldSender | undefined;
  #stops: (() => void)[] = [];
  /** Messages of peers whose entity is not known. */
  #unknownPublishers = 0;

  constructor(deps: FoldServiceDeps, options: FoldServiceOptions = {}) {
    const { clock, keys, log, memory, reach } = deps;
    const { identity } = keys;
    this.#deps = deps;
    this.#snapshotMs = options.snapshotMs ?? SNAPSHOT_MS;
    this.folds = new FoldSet({ clock }, { nodeId: identity.nodeId });
    this.#own = new OwnStatements({ clock, identity });
    this.#relay = new FoldRelay({ clock, folds: this.folds, reach }, identity.nodeId);
    this.#snapshots = new FoldSnapshots({ clock, log, folds: this.folds, memory });
  }

  async start(): Promise<void> {
    const { clock, capabilities, mesh, metrics, reach = GLOBAL_REACH } = this.#deps;
    const { transport } = mesh;
    const stopFeeding = this.folds.capability.onChange((change) => this.#feedIndex(change));
    await this.#snapshots.restore();
    for (const announcement of capabilities.values()) {
      const known = capabilities.known(announcement.nodeId);
      if (known !== undefined) this.#ingest(known);
    }
    const sender = this.#sender = new FoldSender({
      clock,
      transport,
      reach,
      takesRelayed: (peer) =>
        capabilities.get(peer)?.capabilities.tags.includes(TAG_FOLD_RELAY) ?? false,
    });
    metrics.register("folds", () => this.#counters(sender));
    capabilities.useMemberships((nodeId) => this.#membershipsOf(nodeId));
    this.#stops = [
      stopFeeding,
      capabilities.onChange(({ nodeId, known }) => {
        if (known !== undefined) this.#ingest(known);
        else this.#forget(nodeId);
      }),
      transport.onMessage(SUBPROTOCOL_FOLD, (message) => this.#receive(message)),
      transport.onMessage(SUBPROTOCOL_FOLD_RELAY, (message) => this.#receiveRelayed(message)),
      transport.onPeerChange((peer, isConnected) => this.#onPeerChange(peer, isConnected)),
      repeat(clock, FOLD_SWEEP_MS, () => void this.folds.sweep()),
      repeat(clock, REPEAT_MS, () => {
        this.#repeatOwn();
        this.#keepOwnMembership();
      }),
      () => sender.stop(),
    ];
    if (this.#snapshotMs > 0) {
      this.#stops.push(repeat(clock, this.#snapshotMs, () => void this.#snapshots.write()));
    }
    capabilities.contribute(SOURCE, { tags: [TAG_FOLD_RELAY] });
    for (const peer of transport.connectedPeers()) this.#pushSoon(peer);
  }

  async stop(): Promise<void> {
    if (this.#stops.length === 0) return;
    for (const stop of this.#stops) stop();
    this.#stops = [];
    for (const cancel of this.#pushes) cancel();
    this.#pushes.clear();
    this.#sender = undefined;
    await this.#snapshots.write();
  }

  health(): ServiceHealth {
    return { state: "healthy" };
  }

  /**
   * Says something in this node's name, to its own folds and to every peer, and keeps it up until it is
   * withdrawn or its time is over.
   *
   * @returns What the own fold made of it; when that rejects it, nobody is told.
   * @throws RangeError when nobody would accept it, or it is a membership in class 0.
   * @throws NetError `limit` when it does not fit in one event, or too much is kept up already.
   */
  say(statement: FoldStatement): FoldOutcome {
    if (statement.kind === 1 && statement.classHash === ANNOUNCED_CLASS) {
      throw new RangeError(
        "Cannot say membership: class is 0, which holds what is announced; must be another",
      );
    }
    const envelope = this.#own.sign(statement);
    this.#own.requireRoom(envelope);
    const outcome = this.#applyOwn(envelope);
    if (outcome.kind === "rejected") return outcome;
    this.#own.keep(envelope);
    this.#sender?.broadcast([envelope]);
    return outcome;
  }

  /** Takes back what this node said on a thing; false when it said nothing, or that is over. */
  withdraw(kind: FoldKindNumber, key: FoldKey): boolean {
    const envelope = this.#own.withdraw(kind, key);
    if (envelope === undefined) return false;
    this.folds.fold(kind).evict(key, this.folds.time());
    this.#sender?.broadcast([envelope]);
    return true;
  }

  #applyOwn(envelope: AnyFoldEnvelope): FoldOutcome {
    const { entityId: publisher } = this.#deps.keys.identity;
    const wireBytes = encodeFoldEnvelope(envelope).length;
    return this.folds.apply(envelope, { publisher, wireBytes });
  }

  #repeatOwn(): void {
    const due = this.#own.due().filter((envelope) => {
      // What somebody else holds by now is not this node's any more.
      const isOurs = this.#applyOwn(envelope).kind !== "rejected";
      if (!isOurs) this.#own.drop(envelope);
      return isOurs;
    });
    if (due.length > 0) this.#sender?.broadcast(due);
  }

  /** This node's announcement is repeated without a word, and would else run out in its own fold. */
  #keepOwnMembership(): void {
    const { own } = this.#deps.capabilities;
    const key = membershipKey(ANNOUNCED_CLASS, own.nodeId);
    const entry = this.folds.capability.get(key, this.#deps.clock.now());
    if (entry !== undefined && entry.envelope.generation >= own.version) return;
    const known = this.#deps.capabilities.known(own.nodeId);
    if (known !== undefined) this.#ingest(known);
  }

  /** The index answers for every class. */
  #feedIndex({ cause, entry, previous }: FoldChange<1>): void {
    const { nodeId, payload } = (entry ?? previous).envelope;
    const isStale = cause === "restored";
    const membership = entry?.envelope.payload;
    this.#deps.capabilities.setMembership(nodeId, payload.classHash, membership, isStale);
  }

  /** What a node said of itself beside its announcement. */
  #membershipsOf(nodeId: bigint): CapabilityMembership[] {
    return this.folds.capability.of(nodeId, this.folds.time().nowMs)
      .map(({ envelope }) => envelope.payload)
      .filter(({ classHash }) => classHash !== ANNOUNCED_CLASS);
  }

  /** What a node announced is its membership in class 0. */
  #ingest({ announcement, set }: KnownCapabilities): void {
    this.folds.apply(announcedMembership(announcement, set));
  }

  #forget(nodeId: bigint): void {
    this.folds.capability.evict(membershipKey(ANNOUNCED_CLASS, nodeId), this.folds.time());
  }

  #onPeerChange(peer: bigint, isConnected: boolean): void {
    if (isConnected) this.#pushSoon(peer);
    // The failure detector gave it up.
    else this.folds.evictNode(peer);
  }

  #pushSoon(peer: bigint): void {
    const cancel = this.#deps.clock.after(PUSH_DELAY_MS, () => {
      this.#pushes.delete(cancel);
      this.#sender?.push(peer, this.#own.standing());
    });
    this.#pushes.add(cancel);
  }

  #receive({ from, payload }: SubprotocolMessage): void {
    const publisher = this.#deps.capabilities.entityOf(from);
    if (publisher === undefined) {
      this.#unknownPublishers += 1;
      this.#deps.log.debug("fold_dropped", { peer: idToHex(from), reason: "unknown_publisher" });
      return;
    }
    this.#act(this.#relay.receiveDirect(payload, publisher), from);
  }

  #receiveRelayed({ from, payload }: SubprotocolMessage): void {
    this.#act(this.#relay.receiveRelayed(payload, from), from);
  }

  #act(result: RelayVerdict, from: bigint): void {
    const reason = result.kind === "dropped"
      ? result.reason
      : result.verdict.kind === "applied"
      ? undefined
      : result.verdict.reason;
    if (reason !== undefined) {
      this.#deps.log.debug("fold_dropped", { peer: idToHex(from), reason });
    } else if (result.kind === "taken" && result.forward !== undefined) {
      this.#sender?.passOn(result.forward, from);
    }
  }

  #counters(sender: FoldSender): Record<string, number> {
    const { dropped, receivedTotal, appliedTotal, rejectedTotal } = this.folds.counters;
    const relay = this.#relay.counters;
    return {
      received_total: receivedTotal,
      applied_total: appliedTotal,
      rejected_total: rejectedTotal,
      ...byReason("drop", dropped),
      drop_unknown_publisher_total: this.#unknownPublishers,
      relayed_received_total: relay.receivedTotal,
      relayed_taken_total: relay.takenTotal,
      ...byReason("relayed_drop", relay.dropped),
      forwards_total: relay.forwardedTotal,
      forward_drop_origin_rate_total: relay.originRateTotal,
      forwards_far_total: relay.farTotal,
      sent_total: sender.sentTotal,
      passed_on_total: sender.passedOnTotal,
      send_drop_total: sender.droppedTotal,
      own_entries: this.#own.size,
      ...this.folds.metricRows(),
    };
  }
}

function byReason(
  prefix: string,
  counts: Readonly<Record<string, number>>,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(counts).map(([reason, count]) => [`${prefix}_${reason}_total`, count]),
  );
}
