/** Errors of links to peers, and how endings of streams are called on links. */
import { idToHex, type NetError } from "../../base/mod.ts";
import { AckReason } from "../../channel/mod.ts";
import type { StreamEnd } from "../../core/transport/mod.ts";
import { type LinkEnd, RpcError, Status } from "../../rpc/mod.ts";
import { OPENING_RETRY_MS, SUBSCRIBE_RETRY_MS } from "./limits.ts";

/** What a stream's end means for the link on it. */
export function linkEndOf(reason: StreamEnd): LinkEnd {
  switch (reason) {
    case "peer_lost":
    case "replaced":
    case "closed":
      return reason;
    default:
      return "reset";
  }
}

/** The same in words. */
export const LINK_END_TEXT: Readonly<Record<LinkEnd, string>> = {
  peer_lost: "the session with it ended",
  replaced: "its session was replaced",
  reset: "it gave up the stream",
  closed: "the link was closed",
};

/** There is no way to a node. */
export function noRouteError(target: bigint, service: string, cause?: unknown): RpcError {
  return new RpcError(
    "no_route",
    `Cannot call "${service}": no session with node ${idToHex(target)}`,
    { target, cause, next: "see net node peers for the nodes that are connected" },
  );
}

/** There is no session with a node, and none could be made. */
export function unreachedError(target: bigint, service: string, cause: NetError): RpcError {
  if (cause.code === "limit") return openingFullError(target, service, OPENING_RETRY_MS);
  const why = typeof cause.data?.why === "string" ? `, and ${cause.data.why}` : "";
  return new RpcError(
    "no_route",
    `Cannot call "${service}": no session with node ${idToHex(target)}${why}`,
    { target, cause, next: cause.next },
  );
}

/** The link broke before it was ready. */
export function openingError(target: bigint, service: string, why: string): RpcError {
  return new RpcError(
    "transport",
    `Cannot call "${service}" at node ${idToHex(target)}: ${why}`,
    { target, next: "call again; see net node peers for the state of the node" },
  );
}

/** Too many links are being opened at once. */
export function openingFullError(target: bigint, service: string, retryAfterMs: number): RpcError {
  return new RpcError(
    "backpressure",
    `Cannot call "${service}": too many services are being looked up at once`,
    { target, retryAfterMs, next: "try again later" },
  );
}

/** A name that cannot be that of a service. */
export function serviceNameError(service: string): RpcError {
  return new RpcError(
    "codec_encode",
    `Cannot call "${service.slice(0, 80)}": it is no name of a service`,
    { next: "write names as echo or tools/echo: a-z 0-9 - _ . in segments between single slashes" },
  );
}

/** The server does not let this node have its answers. */
export function refusedError(target: bigint, service: string, reason: AckReason): RpcError {
  const at = `"${service}" at node ${idToHex(target)}`;
  switch (reason) {
    case AckReason.UnknownChannel:
      return notServedError(target, service);
    case AckReason.RateLimited:
    case AckReason.TooManyChannels:
      return new RpcError("backpressure", `Cannot call ${at}: it takes no more callers now`, {
        target,
        status: Status.backpressure,
        retryAfterMs: SUBSCRIBE_RETRY_MS,
        next: "try again later, or call another node",
      });
    default:
      return new RpcError("server_error", `Cannot call ${at}: it does not let this node in`, {
        target,
        status: Status.unauthorized,
        next: "see net cap show for what the node admits",
      });
  }
}

/** The node does not offer the service. */
export function notServedError(target: bigint, service: string): RpcError {
  return new RpcError(
    "server_error",
    `Cannot call "${service}" at node ${idToHex(target)}: it does not offer it`,
    { target, status: Status.notFound, next: "see net rpc ls for who does" },
  );
}
