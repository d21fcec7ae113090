/**
 * Where this node hears its callers (`nrpc.md` 1, 5): a service registers its two channels, and takes the request
 * stream of whichever peer begins it.
 */
import { NetError } from "../../base/mod.ts";
import { createChannelConfig, createPrefixConfig, requireChannelId } from "../../channel/mod.ts";
import {
  isServiceName,
  type Listening,
  replyChannelPrefix,
  requestChannelName,
  RpcError,
  type ServerLinks,
  type ServerSink,
} from "../../rpc/mod.ts";
import type { LocalService } from "./loopback_links.ts";
import type { LinkParts } from "./rpc_parts.ts";
import { ServedService } from "./served_service.ts";

/** Services of this node as its callers reach them. */
export class PeerServerLinks implements ServerLinks {
  readonly #parts: LinkParts;
  readonly #services = new Map<string, ServedService>();
  /** Those that this node says it offers. */
  readonly #offered = new Set<string>();
  #isHidden = false;

  constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  /** Callers that are connected, over all services. */
  get callers(): number {
    let callers = 0;
    for (const service of this.#services.values()) callers += service.callers;
    return callers;
  }

  /** A service that is served now, for callers of this node itself. */
  local(service: string): LocalService | undefined {
    const served = this.#services.get(service);
    return served?.isServed === true ? served : undefined;
  }

  listen(service: string, sink: ServerSink): Listening {
    if (!isServiceName(service)) {
      throw new RpcError(
        "serve_failed",
        `Cannot serve "${service.slice(0, 80)}": it is no name of a service`,
        { next: "write names as echo or tools/echo: a-z 0-9 - _ . in segments, slashes between" },
      );
    }
    const known = this.#services.get(service);
    if (known?.isServed) {
      throw new RpcError("serve_failed", `Cannot serve "${service}": it is served already`, {
        next: "close it first, or choose another name",
      });
    }
    const stops: (() => void)[] = [];
    const served = known ?? new ServedService(this.#parts, service, () => this.#forget(service));
    try {
      this.#open(served, stops);
    } catch (error) {
      for (const stop of stops) stop();
      if (!(error instanceof NetError)) throw error;
      throw new RpcError("serve_failed", `Cannot serve "${service}": ${error.message}`, {
        cause: error,
        next: error.next,
      });
    }
    served.serve(sink);
    this.#services.set(service, served);
    return {
      withdraw: () => this.#withdraw(service),
      end: () => {
        for (const stop of stops.splice(0)) stop();
        served.close(sink);
        this.#forget(service);
      },
    };
  }

  /** Says that nothing is offered, or what is; who calls all the same is heard. */
  setHidden(isHidden: boolean): void {
    this.#isHidden = isHidden;
    this.#offer();
  }

  /** Ends every link. */
  stop(): void {
    for (const service of [...this.#services.values()]) service.stop();
    this.#services.clear();
  }

  #open(served: ServedService, stops: (() => void)[]): void {
    const { channels, transport } = this.#parts;
    const requests = requestChannelName(served.service);
    // Said before anybody is heard: the own entry is what the gate of the callee looks at (promise C8).
    this.#offered.add(served.service);
    stops.push(() => this.#withdraw(served.service));
    this.#offer();
    stops.push(channels.lend(createChannelConfig(requests, { isReliable: true })));
    const replies = { isReliable: true, bindsOrigin: true };
    stops.push(channels.lend(createPrefixConfig(replyChannelPrefix(served.service), replies)));
    const { streamId } = requireChannelId(requests);
    stops.push(transport.acceptStream(streamId, (peer) => served.accept(peer)));
  }

  /** Says no more that a service is offered. */
  #withdraw(service: string): void {
    if (this.#offered.delete(service)) this.#offer();
  }

  #offer(): void {
    this.#parts.announcements.offer(this.#isHidden ? [] : [...this.#offered]);
  }

  /** A service that is neither served nor has callers needs nothing more. */
  #forget(service: string): void {
    const served = this.#services.get(service);
    if (served !== undefined && !served.isServed && served.callers === 0) {
      this.#services.delete(service);
    }
  }
}
