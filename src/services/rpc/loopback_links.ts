/** Calls of a node to a service of its own: the same links, with no socket in between. */
import { highHalf, lowHalf } from "../../base/mod.ts";
import { requireChannelId } from "../../channel/mod.ts";
import {
  type ClientSink,
  FrameIntake,
  type FrameLink,
  JoinBudget,
  LargeAllowance,
  OutLink,
  replyChannelName,
  requestChannelName,
} from "../../rpc/mod.ts";
import { LINK_END_TEXT, noRouteError, notServedError } from "./link_errors.ts";
import { LoopbackPort } from "./loopback_port.ts";
import type { LinkParts } from "./rpc_parts.ts";

/** Who takes requests of a service of this node, as it is called from here. */
export interface LocalService {
  /**
   * A caller of this node is there.
   *
   * @param replies Opens the way back.
   * @param budget Memory in which long requests are joined.
   * @returns Takes frames of it.
   */
  connect(replies: () => FrameLink, budget: JoinBudget): LocalCaller;
}

/** One end of the way to a local service. */
export interface LocalCaller {
  take(frame: Uint8Array): void;
  end(): void;
}

interface LocalLink {
  readonly out: OutLink;
  readonly caller: LocalCaller;
  readonly replies: FrameIntake;
}

/** What long frames in one direction may take, over all links: its own, or requests and answers would compete. */
class Direction {
  readonly allowance = new LargeAllowance();
  readonly budget = new JoinBudget();
}

/** Links of this node to itself. */
export class LoopbackLinks {
  readonly #parts: LinkParts;
  readonly #links = new Map<string, LocalLink>();
  readonly #requests = new Direction();
  readonly #replies = new Direction();
  #find: (service: string) => LocalService | undefined = () => undefined;
  #sink: ClientSink | undefined;

  constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  /** Says who takes answers. */
  useSink(sink: ClientSink): void {
    this.#sink = sink;
  }

  /** Says where services of this node are found; those that were ever called stay. */
  useServices(find: (service: string) => LocalService | undefined): void {
    this.#find = find;
  }

  /** The link that is ready; `undefined` for another node, or when none is. */
  ready(target: bigint, service: string): FrameLink | undefined {
    return target === this.#parts.transport.nodeId ? this.#links.get(service)?.out : undefined;
  }

  /**
   * Opens a link.
   *
   * @throws RpcError `server_error` with `notFound` when this node does not offer the service.
   */
  open(service: string): FrameLink {
    const known = this.#links.get(service);
    if (known !== undefined) return known.out;
    const { transport, originHash, counters, clock } = this.#parts;
    const [there, back] = [this.#requests, this.#replies];
    const peer = transport.nodeId;
    const sink = this.#sink;
    if (sink === undefined) throw noRouteError(peer, service);
    const local = this.#find(service);
    if (local === undefined) throw notServedError(peer, service);
    const createOut = (
      channel: string,
      { allowance }: Direction,
      take: (frame: Uint8Array) => void,
    ) => {
      const { hash } = requireChannelId(channel);
      const route = {
        originLow: lowHalf(originHash),
        originHigh: highHalf(originHash),
        channelLow: lowHalf(hash),
        channelHigh: highHalf(hash),
      };
      const port = new LoopbackPort(clock, take);
      return new OutLink({ port, counters, allowance }, { peer, route, isExtended: true });
    };
    const replies = new FrameIntake({
      clock,
      budget: back.budget,
      counters,
      onFrame: (bytes, isOwned) => sink.onFrame(out, bytes, isOwned),
      onRefused: (frame) => sink.onRefused(out, frame),
    }, peer);
    const replyChannel = replyChannelName(service, originHash);
    const caller = local.connect(
      () => createOut(replyChannel, back, (frame) => replies.take(frame)),
      there.budget,
    );
    const out = createOut(requestChannelName(service), there, (frame) => caller.take(frame));
    this.#links.set(service, { out, caller, replies });
    return out;
  }

  /** Ends all links. */
  stop(): void {
    for (const { out, caller, replies } of this.#links.values()) {
      out.end(LINK_END_TEXT.closed);
      caller.end();
      replies.end();
      this.#sink?.onEnd(out, "closed");
    }
    this.#links.clear();
  }
}
