/** One way to a peer: a handshake to where it says that it is, or was before (`nrpc.md` 16). */
import { isDirect } from "./coordinators.ts";
import type { NatCounters } from "./counters.ts";
import {
  type ConnectorTransport,
  DIAL_PATIENCE_MS,
  dialPatiently,
  errorOf,
  type Search,
} from "./search.ts";
import { NatError } from "./types.ts";

/** What {@linkcode DialWay} needs. */
export interface DialWayDeps {
  readonly counters: NatCounters;
  readonly transport: Pick<ConnectorTransport, "dial" | "leaveRelay" | "peer">;
}

/** Dials. */
export class DialWay {
  readonly #deps: DialWayDeps;

  constructor(deps: DialWayDeps) {
    this.#deps = deps;
  }

  /** Tries all addresses at once; true when the peer has a direct session now. */
  async run(search: Search): Promise<boolean> {
    const { peer, known, addresses, mayReplace, log, signal } = search;
    const { counters, transport } = this.#deps;
    const kind = known.isMapped ? "mapped" : "direct";
    const [address] = addresses;
    if (address === undefined) {
      log.skip(kind, "peer-not-reachable", "the peer announced no address and none is known");
      return false;
    }
    counters.direct_attempted_total += 1;
    const attempt = log.begin(kind, { address });
    if (await transport.leaveRelay(peer, address)) {
      counters.direct_succeeded_total += 1;
      attempt.connected("the session left its relay", address);
      return true;
    }
    if (!mayReplace) {
      attempt.failed(new NatError("peer-not-reachable", "the peer does not answer there"));
      return false;
    }
    const isThere = () => {
      const there = transport.peer(peer);
      return there !== undefined && isDirect(there);
    };
    const failure = await dialPatiently(transport, search, addresses, DIAL_PATIENCE_MS, isThere);
    if (isThere()) {
      counters.direct_succeeded_total += 1;
      attempt.connected("it answered", transport.peer(peer)?.address);
      return true;
    }
    attempt.failed(errorOf(failure, signal));
    return false;
  }
}
