/**
 * Ways of this node's calls to servers (`nrpc.md` 5): opened when first needed, many callers waiting for the same
 * one, kept as long as the session, at most so many.
 */
import { idToHex, NetError } from "../../base/mod.ts";
import { requireChannelId } from "../../channel/mod.ts";
import { isPeerUp } from "../../core/transport/mod.ts";
import {
  type ClientLinks,
  type ClientSink,
  type FrameLink,
  isServiceName,
  replyChannelName,
  requestChannelName,
  RpcError,
} from "../../rpc/mod.ts";
import { type CallerChannels, type ClientLink, openClientLink } from "./client_link.ts";
import { awaitAnnouncement } from "./extension.ts";
import { OPENING_MAX, OPENING_RETRY_MS, READY_MAX, REFUSALS_MAX, REFUSED_MS } from "./limits.ts";
import {
  noRouteError,
  openingError,
  openingFullError,
  serviceNameError,
  unreachedError,
} from "./link_errors.ts";
import type { LoopbackLinks } from "./loopback_links.ts";
import type { LinkParts } from "./rpc_parts.ts";

interface Refusal {
  readonly error: RpcError;
  readonly until: number;
}

/** Links to servers. */
export class PeerClientLinks implements ClientLinks {
  readonly #parts: LinkParts;
  readonly #loopback: LoopbackLinks;
  readonly #byTarget = new Map<bigint, Map<string, ClientLink>>();
  readonly #opening = new Map<string, Promise<FrameLink>>();
  /** Services that a peer not of ours refused a moment ago: asking often, it would let this node in nowhere. */
  readonly #refusals = new Map<string, Refusal>();
  /** Aborted when no link is to be opened any more. */
  readonly #stopped = new AbortController();
  #sink: ClientSink | undefined;
  #size = 0;
  #uses = 0;

  constructor(parts: LinkParts, loopback: LoopbackLinks) {
    this.#parts = parts;
    this.#loopback = loopback;
  }

  /** Links that are open. */
  get size(): number {
    return this.#size;
  }

  /** Links that are being opened. */
  get opening(): number {
    return this.#opening.size;
  }

  /** Says who takes answers; before the first call. */
  useSink(sink: ClientSink): void {
    this.#sink = sink;
    this.#loopback.useSink(sink);
  }

  ready(target: bigint, service: string): FrameLink | undefined {
    const opened = this.#byTarget.get(target)?.get(service);
    if (opened === undefined) return this.#loopback.ready(target, service);
    opened.usedAt = ++this.#uses;
    return opened.link;
  }

  async open(target: bigint, service: string, signal?: AbortSignal): Promise<FrameLink> {
    signal?.throwIfAborted();
    const ready = this.ready(target, service);
    if (ready !== undefined) return ready;
    if (!isServiceName(service)) throw serviceNameError(service);
    if (target === this.#parts.transport.nodeId) return this.#loopback.open(service);
    const key = `${idToHex(target)} ${service}`;
    let opening = this.#opening.get(key);
    if (opening === undefined) {
      if (this.#opening.size >= OPENING_MAX) {
        throw openingFullError(target, service, OPENING_RETRY_MS);
      }
      // Room is made first: servers have a limit as well.
      if (this.#size + this.#opening.size >= READY_MAX) this.#evict();
      opening = this.#open(target, service, key).finally(() => this.#opening.delete(key));
      // Whoever waits hears of it; perhaps nobody does any more.
      opening.catch(() => {});
      this.#opening.set(key, opening);
    }
    return await (signal === undefined ? opening : abortable(opening, signal));
  }

  /** Ends every link, also those that are being opened. */
  stop(): void {
    for (const opened of this.#all()) opened.end("closed");
    this.#stopped.abort(new NetError("not_ready", "Cannot open link: the node stops"));
  }

  async #open(target: bigint, service: string, key: string): Promise<FrameLink> {
    const { facts, clock } = this.#parts;
    const sink = this.#sink;
    if (sink === undefined) throw noRouteError(target, service);
    await this.#reach(target, service);
    const refusal = this.#refusals.get(key);
    if (refusal !== undefined && refusal.until > clock.now()) throw refusal.error;
    const { signal } = this.#stopped;
    await awaitAnnouncement(this.#parts, target, signal);
    signal.throwIfAborted();
    try {
      const opened = await openClientLink(this.#parts, {
        target,
        service,
        channels: this.#channelsOf(service),
        sink,
        signal,
        onEnd: (ended) => this.#forget(ended),
      });
      this.#keep(opened);
      return opened.link;
    } catch (error) {
      const isRefused = error instanceof RpcError && error.kind === "server_error";
      if (isRefused && !facts.isOurs(target)) this.#noteRefusal(key, error);
      throw error;
    }
  }

  /** Makes a session with a node where there is none. */
  async #reach(target: bigint, service: string): Promise<void> {
    const { transport, reach } = this.#parts;
    const peer = transport.peer(target);
    if (peer !== undefined && isPeerUp(peer)) return;
    try {
      await reach.reach(target);
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      throw unreachedError(target, service, error);
    }
  }

  #channelsOf(service: string): CallerChannels {
    return {
      requests: requireChannelId(requestChannelName(service)),
      replies: requireChannelId(replyChannelName(service, this.#parts.originHash)),
    };
  }

  #keep(opened: ClientLink): void {
    const { target, service, link } = opened;
    if (!link.isOpen) throw openingError(target, service, "the link ended at once");
    let links = this.#byTarget.get(opened.target);
    if (links === undefined) this.#byTarget.set(opened.target, links = new Map());
    links.set(opened.service, opened);
    opened.usedAt = ++this.#uses;
    this.#size += 1;
  }

  #forget(ended: ClientLink): void {
    const links = this.#byTarget.get(ended.target);
    if (links?.get(ended.service) !== ended) return;
    links.delete(ended.service);
    this.#size -= 1;
    if (links.size === 0) this.#byTarget.delete(ended.target);
  }

  /** The link not used for longest makes room; its server need not keep this node in mind. */
  #evict(): void {
    let oldest: ClientLink | undefined;
    for (const opened of this.#all()) {
      if (oldest === undefined || opened.usedAt < oldest.usedAt) oldest = opened;
    }
    if (oldest === undefined) return;
    oldest.end("closed");
    this.#parts.channels.withdraw(oldest.target, this.#channelsOf(oldest.service).replies);
  }

  #noteRefusal(key: string, error: RpcError): void {
    const refusals = this.#refusals;
    if (refusals.size >= REFUSALS_MAX) {
      for (const oldest of refusals.keys()) {
        refusals.delete(oldest);
        break;
      }
    }
    refusals.set(key, { error, until: this.#parts.clock.now() + REFUSED_MS });
  }

  #all(): ClientLink[] {
    return [...this.#byTarget.values()].flatMap((links) => [...links.values()]);
  }
}

/** Waits for something as long as the signal allows; the thing itself goes on. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
