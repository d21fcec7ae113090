/**
 * Reaching a peer without a relay where NATs allow it, and through one where they do not (`nrpc.md` 16):
 * what the pair of classes says, then whatever is left that may still work, each way with its outcome.
 *
 * The specification's two ways are dialling or one punch. Classes cannot tell which packets a NAT lets in,
 * so a dial that fails is followed by a punch where a coordinator is there.
 */
import { type Clock, idToHex, NetError } from "../../../base/mod.ts";
import { isSameAddress } from "../address.ts";
import { chooseCoordinators, isDirect, isUp } from "./coordinators.ts";
import type { NatCounters } from "./counters.ts";
import { type KeptReport, KeptReports } from "./kept_reports.ts";
import { CONNECT_TIMEOUT_MS, CONNECTS_MAX, DIAL_ADDRESSES_MAX } from "./limits.ts";
import { DialWay } from "./dial_way.ts";
import { decidePair } from "./pair_decision.ts";
import { PathLog } from "./path_log.ts";
import { PunchWay } from "./punch_way.ts";
import { RelayWay } from "./relay_way.ts";
import type { RendezvousPlane } from "./rendezvous.ts";
import type { ConnectorTransport, PeerKnowledge, Search } from "./search.ts";
import type {
  ConnectDirectOptions,
  NatClass,
  PairAction,
  PathAttempt,
  PathReport,
} from "./types.ts";
import type { SocketAddress } from "../types.ts";

/** What {@linkcode DirectConnector} needs. */
export interface DirectConnectorDeps {
  readonly clock: Clock;
  readonly counters: NatCounters;
  readonly transport: ConnectorTransport;
  readonly rendezvous: Pick<RendezvousPlane, "ask">;
  /** Class and address of this node. */
  readonly own: () => { readonly natClass: NatClass; readonly reflex: SocketAddress | undefined };
  readonly know: (peer: bigint) => Promise<PeerKnowledge>;
  readonly isRelayCapable: (peer: bigint) => boolean;
  /** False where this node takes no part in punching. */
  readonly canPunch: () => boolean;
}

/** How one attempt differs from what {@linkcode ConnectDirectOptions} says. */
export interface ConnectOptions extends ConnectDirectOptions {
  /** No relay is looked for when every other way failed: there is a relayed session. */
  readonly isUpgrade?: boolean;
  /** False where a new session would end streams that are in use: the present one is moved or stays. */
  readonly mayReplace?: boolean;
}

/** Looks for ways to peers. */
export class DirectConnector {
  readonly #deps: DirectConnectorDeps;
  readonly #dials: DialWay;
  readonly #punches: PunchWay;
  readonly #relays: RelayWay;
  readonly #running = new Map<bigint, Promise<PathReport>>();
  readonly #kept = new KeptReports();

  constructor(deps: DirectConnectorDeps) {
    this.#deps = deps;
    this.#dials = new DialWay(deps);
    this.#punches = new PunchWay(deps);
    this.#relays = new RelayWay(deps);
  }

  /**
   * Tries every way, in order, until one leads to the peer without a relay.
   *
   * @returns What was tried; the outcome may be a relayed session, or none.
   * @throws NetError `usage` for this node itself, `limit` when too many are sought at once; the signal's
   * reason when it is aborted.
   */
  connect(peer: bigint, options: ConnectOptions = {}): Promise<PathReport> {
    if (peer === this.#deps.transport.nodeId) {
      return Promise.reject(
        new NetError("usage", "Cannot connect to this node itself: name another node", {
          next: "see net node peers for the nodes that are known",
        }),
      );
    }
    const running = this.#running.get(peer);
    if (running !== undefined) return untilAborted(running, options.signal);
    if (this.#running.size >= CONNECTS_MAX) {
      return Promise.reject(
        new NetError(
          "limit",
          `Cannot connect to node ${idToHex(peer)}: too many are being sought`,
          {
            next: "repeat the command in a moment",
          },
        ),
      );
    }
    const search = this.#connect(peer, options).finally(() => this.#running.delete(peer));
    this.#running.set(peer, search);
    return search;
  }

  /**
   * Opens a session through a relay, in place of a direct one that fell silent: the hole closed.
   *
   * @returns True when it stands, or when the peer is heard directly again.
   */
  async fallBack(peer: bigint, signal: AbortSignal): Promise<boolean> {
    const { clock, know } = this.#deps;
    const known = await know(peer);
    const { noisePublicKey } = known;
    if (signal.aborted || noisePublicKey === undefined) return false;
    const coordinators = this.#coordinators(peer);
    const log = new PathLog(clock);
    const mayReplace = true;
    const addresses: SocketAddress[] = [];
    return await this.#relays.run(
      { peer, known, noisePublicKey, addresses, coordinators, mayReplace, log, signal },
    );
  }

  #coordinators(peer: bigint): bigint[] {
    const { transport, isRelayCapable } = this.#deps;
    const [peers, routes] = [transport.peers(), transport.routes()];
    return chooseCoordinators(peer, { peers, routes, isRelayCapable });
  }

  /** What the last search for a peer came to; of the peers sought last. */
  lastReport(peer: bigint): KeptReport | undefined {
    return this.#kept.get(peer);
  }

  async #connect(peer: bigint, options: ConnectOptions): Promise<PathReport> {
    const { clock, own, know, transport } = this.#deps;
    options.signal?.throwIfAborted();
    const log = new PathLog(clock);
    const abort = new AbortController();
    const cancel = clock.after(options.timeoutMs ?? CONNECT_TIMEOUT_MS, () => {
      abort.abort(new NetError("timeout", "no time was left"));
    });
    const onAbort = () => abort.abort(options.signal?.reason);
    options.signal?.addEventListener("abort", onAbort, { once: true });
    try {
      const known = await know(peer);
      const action = decidePair(own().natClass, known.natClass);
      const coordinators = this.#coordinators(peer);
      const noisePublicKey = options.noisePublicKey ?? known.noisePublicKey;
      const wasDirect = isDirect(transport.peer(peer) ?? NOBODY);
      if (wasDirect) this.#noteExisting(peer, log);
      else if (noisePublicKey === undefined) noteUnknownKey(log);
      else {
        const addresses = this.#addresses(peer, known, options.addresses);
        const { signal } = abort;
        const { mayReplace = true } = options;
        await this.#search(
          { peer, known, noisePublicKey, addresses, coordinators, mayReplace, log, signal },
          action,
          options.isUpgrade ?? false,
        );
      }
      options.signal?.throwIfAborted();
      const report = this.#report(peer, known, action, log.attempts);
      if (!wasDirect) this.#kept.keep(report, clock.now());
      return report;
    } finally {
      cancel();
      options.signal?.removeEventListener("abort", onAbort);
    }
  }

  async #search(search: Search, action: PairAction, isUpgrade: boolean): Promise<void> {
    const { log } = search;
    if (action === "direct" && await this.#dials.run(search)) return;
    if (action === "relay") {
      log.skip("punch", "unsupported", "no punch gets through these two NATs");
    } else if (await this.#punches.run(search)) return;
    // Addresses that the pair table says nothing of: where the peer was before, or the caller knows; and
    // the announced one where nobody could introduce, as some routers forward the port.
    const isAnnouncedUntried = search.coordinators.length === 0 &&
      search.known.reflex !== undefined;
    const isUntried = action !== "direct" &&
      (isAnnouncedUntried || search.addresses.length > (search.known.reflex ? 1 : 0));
    if (isUntried && await this.#dials.run(search)) return;
    if (!isUpgrade) await this.#relays.run(search);
  }

  #noteExisting(peer: bigint, log: PathLog): void {
    const address = this.#deps.transport.peer(peer)?.address;
    log.begin("direct", { address }).connected("there is a direct session already");
  }

  /** Where to dial: the announced address first. */
  #addresses(
    peer: bigint,
    known: PeerKnowledge,
    more: readonly SocketAddress[] = [],
  ): readonly SocketAddress[] {
    const addresses: SocketAddress[] = [];
    const given = known.reflex === undefined ? [] : [known.reflex];
    const others = this.#deps.transport.peers().filter((other) =>
      other.nodeId !== peer && isDirect(other)
    );
    for (const address of [...given, ...more, ...known.addresses]) {
      if (address.port === 0 || addresses.some((other) => isSameAddress(other, address))) continue;
      // Another node answers there, and would only relay.
      if (others.some((other) => isSameAddress(other.address, address))) continue;
      if (addresses.length < DIAL_ADDRESSES_MAX) addresses.push(address);
    }
    return addresses;
  }

  #report(
    peer: bigint,
    known: PeerKnowledge,
    action: PairAction,
    attempts: readonly PathAttempt[],
  ): PathReport {
    const there = this.#deps.transport.peer(peer);
    const outcome = there === undefined || !isUp(there)
      ? "none"
      : there.isRelayed
      ? "relayed"
      : "direct";
    const ownClass = this.#deps.own().natClass;
    return { peer, outcome, ownClass, peerClass: known.natClass, action, attempts };
  }
}

const NOBODY = { state: "connecting", isRelayed: false } as const;

function noteUnknownKey(log: PathLog): void {
  log.skip(
    "direct",
    "unsupported",
    "the peer's Noise key is unknown; join with its ticket or give its key",
  );
}

/** The promise's outcome, or the signal's reason if that comes first. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
