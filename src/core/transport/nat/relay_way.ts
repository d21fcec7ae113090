/** The last way to a peer: the relayed session there is, or a handshake through a coordinator (`nrpc.md` 16). */
import { isSameAddress } from "../address.ts";
import { isDirect, isUp } from "./coordinators.ts";
import type { NatCounters } from "./counters.ts";
import {
  type ConnectorTransport,
  DIAL_PATIENCE_MS,
  dialPatiently,
  errorOf,
  type Search,
} from "./search.ts";
import { NatError } from "./types.ts";

/** What {@linkcode RelayWay} needs. */
export interface RelayWayDeps {
  readonly counters: NatCounters;
  readonly transport: Pick<ConnectorTransport, "dial" | "peer" | "peers" | "ping">;
}

const PING_MS = 2_000;

/** Falls back to relays. */
export class RelayWay {
  readonly #deps: RelayWayDeps;

  constructor(deps: RelayWayDeps) {
    this.#deps = deps;
  }

  /** Makes sure of a relayed session; true when there is one, or the peer is heard directly after all. */
  async run(search: Search): Promise<boolean> {
    const { coordinators, log, signal } = search;
    if (await this.#keep(search)) return true;
    if (coordinators.length === 0) {
      log.skip("relay", "rendezvous-no-relay", "no peer could relay");
      return false;
    }
    for (const via of coordinators) {
      if (signal.aborted) return false;
      if (await this.#dialVia(search, via)) return true;
    }
    return false;
  }

  /** The relayed session there is, if it answers. */
  async #keep({ peer, log }: Search): Promise<boolean> {
    const { counters, transport } = this.#deps;
    const there = transport.peer(peer);
    if (there === undefined || !isUp(there) || !there.isRelayed) return false;
    const relay = transport.peers().find((other) =>
      isDirect(other) && isSameAddress(other.address, there.address)
    );
    const attempt = log.begin("relay", { address: there.address, via: relay?.nodeId });
    if (await transport.ping(peer, PING_MS) !== undefined) {
      counters.relay_fallbacks += 1;
      attempt.connected("the relayed session stays");
      return true;
    }
    attempt.failed(new NatError("peer-not-reachable", "the relayed session does not answer"));
    return false;
  }

  async #dialVia(search: Search, via: bigint): Promise<boolean> {
    const { peer, log, signal } = search;
    const { counters, transport } = this.#deps;
    const relay = transport.peer(via);
    if (relay === undefined || !isDirect(relay)) return false;
    const attempt = log.begin("relay", { address: relay.address, via });
    const patienceMs = DIAL_PATIENCE_MS.slice(0, 2);
    const isThere = () => transport.peer(peer)?.state === "connected";
    const addresses = [relay.address];
    const failure = await dialPatiently(transport, search, addresses, patienceMs, isThere);
    if (isThere()) {
      counters.relay_fallbacks += 1;
      attempt.connected("it answered through the relay");
      return true;
    }
    attempt.failed(errorOf(failure, signal));
    return false;
  }
}
