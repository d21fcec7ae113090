/** What a route of the gateway is: a path, a handler for each method, and limits of its own. */
import { NetError } from "../base/mod.ts";

/** Methods that routes serve; `OPTIONS` is answered for all of them. */
export type RouteMethod = "GET" | "HEAD" | "PUT" | "POST" | "DELETE" | "PATCH";

/** The body of a request, read piece by piece and never faster than it is asked for. */
export interface GatewayBody {
  /** Fills some of `into`; `null` at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** All of it, for bodies with a bound. */
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
}

/** A request as a handler sees it. */
export interface GatewayRequest {
  readonly method: RouteMethod;
  readonly headers: Headers;
  readonly url: URL;
  /** The part of the path behind `:name`, decoded. */
  param(name: string): string;
  /** The body, within the route's bound; `undefined` without one. */
  readonly body: GatewayBody | undefined;
  /** Length of the body by its header; `undefined` when it is not known before its end. */
  readonly bodyBytes: number | undefined;
  /** Address of the client, without its port. */
  readonly remoteHost: string;
  /** Aborts when the client leaves, or no answer began in time. */
  readonly signal: AbortSignal;
}

/**
 * Answers a request. What it throws is answered too: a {@linkcode NetError} by its code, a
 * {@linkcode ProblemError} as it says, the rest as 500.
 */
export type GatewayHandler = (request: GatewayRequest) => Response | Promise<Response>;

/** A route. */
export interface GatewayRoute {
  /** With `:name` for parts that vary; the label of its metrics. */
  readonly path: string;
  /** `HEAD` is answered by the handler of `GET` where it has none. */
  readonly handlers: Partial<Record<RouteMethod, GatewayHandler>>;
  /** Time until an answer begins; `undefined` for the usual. The body of the request does not count. */
  readonly answerMs?: number;
  /** Longest body; `undefined` for the usual, `Infinity` where the handler has a bound of its own. */
  readonly bodyBytesMax?: number;
  /** Answered however much there is to do: the health of the node must be seen when it is worst. */
  readonly isVital?: boolean;
}

/** A failure that says itself how it is to be answered. */
export class ProblemError extends NetError {
  readonly status: number;
  /** The `code` of the answer. */
  readonly problem: string;
  readonly headers: Readonly<Record<string, string>> | undefined;

  constructor(
    status: number,
    problem: string,
    message: string,
    details: { readonly next?: string; readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(status >= 500 ? "failed" : "usage", message, { next: details.next });
    this.status = status;
    this.problem = problem;
    this.headers = details.headers;
  }
}
