/** What a call fails with, in words (`nrpc.md` 12). */
import { idToHex } from "../../base/mod.ts";
import { RpcError, type RpcErrorKind } from "../error.ts";
import type { LinkEnd, RefusedFrame } from "../link/link.ts";
import { HeaderName, headerNumber, type ResponseBody, Status } from "../wire/mod.ts";

const decoder = new TextDecoder();
/** Longest text of a server that goes into a message. */
const TEXT_BYTES_MAX = 4_096;

/** Which call; what every error says of it. */
export interface CallName {
  readonly target: bigint;
  readonly service: { readonly text: string };
}

/** `service on node …`. */
export function describeCall(call: CallName): string {
  return `${call.service.text} on node ${idToHex(call.target)}`;
}

/** Nothing came in time. */
export function timeoutError(call: CallName, elapsedMs: number): RpcError {
  return new RpcError(
    "timeout",
    `Cannot call ${describeCall(call)}: no answer within ${Math.round(elapsedMs)} ms`,
    {
      target: call.target,
      elapsedMs: Math.round(elapsedMs),
      next: "raise the timeout, or ask the node that serves it whether it is overloaded",
    },
  );
}

/** The caller, or the server, wants no more of it. */
export function cancelledError(call: CallName, cause?: unknown): RpcError {
  return new RpcError("cancelled", `Call of ${describeCall(call)} was cancelled`, {
    target: call.target,
    cause,
  });
}

/** The caller gate keeps this node out. */
export function deniedError(call: CallName, status?: number, text?: string): RpcError {
  const capability = `nrpc:${call.service.text}`;
  return new RpcError(
    "capability_denied",
    `Cannot call ${describeCall(call)}: ${text || "this node is not among those it admits"}`,
    {
      target: call.target,
      capability,
      ...(status === undefined ? {} : { status }),
      next: "ask its owner to admit this node",
    },
  );
}

/** Too many calls wait already. */
export function pendingFullError(call: CallName, pendingMax: number): RpcError {
  return new RpcError(
    "backpressure",
    `Cannot call ${describeCall(call)}: ${pendingMax} calls wait for an answer already`,
    { target: call.target, retryAfterMs: 100, next: "wait for some of them first" },
  );
}

/** The way to the server broke. */
export function linkEndError(call: CallName, reason: LinkEnd): RpcError {
  const said = {
    peer_lost: "the node is gone",
    replaced: "its session was replaced by a new one",
    reset: "the stream to it was reset",
    closed: "the session to it was closed",
  }[reason];
  return new RpcError("transport", `Cannot finish call of ${describeCall(call)}: ${said}`, {
    target: call.target,
    next: "call again; the server may have done the work already",
  });
}

/** A body that cannot be sent there. */
export function tooLargeError(call: CallName, bytes: number, bytesMax: number): RpcError {
  return new RpcError(
    "too_large",
    `Cannot send to ${describeCall(call)}: body too large for this peer: ` +
      `it has ${bytes} bytes, and with its headers must be at most ${bytesMax}`,
    { target: call.target, next: "send less at once, or a stream of smaller items" },
  );
}

/** A long answer that was not joined here. */
export function refusedError(call: CallName, frame: RefusedFrame): RpcError {
  const { reason, retryAfterMs } = frame;
  const said = `Cannot take answer of ${describeCall(call)}`;
  const { target } = call;
  switch (reason) {
    case "budget":
      return new RpcError("backpressure", `${said}: there is no room to join it now`, {
        target,
        retryAfterMs,
        next: "call again later, or fewer at a time",
      });
    case "too_large":
      return new RpcError("too_large", `${said}: body too large`, {
        target,
        next: "ask for less at once, or for a stream",
      });
    case "malformed":
      return new RpcError("codec_decode", `${said}: its parts do not fit together`, { target });
    case "late":
      return new RpcError("transport", `${said}: the rest of it did not come`, { target });
  }
}

/** What came cannot be read as an answer. */
export function undecodableError(call: CallName, what: string): RpcError {
  return new RpcError("codec_decode", `Cannot read answer of ${describeCall(call)}: ${what}`, {
    target: call.target,
  });
}

/** A stream came where one answer was asked for. */
export function shapeError(call: CallName): RpcError {
  return new RpcError(
    "codec_decode",
    `Cannot take answer of ${describeCall(call)}: the service answers with a stream`,
    { target: call.target, next: "call it as a stream: callStream(), net rpc call --stream" },
  );
}

/** What the caller asks for cannot be sent. */
export function unsendableError(call: CallName, error: unknown): RpcError {
  const what = error instanceof Error ? error.message : String(error);
  return new RpcError("codec_encode", `Cannot call ${describeCall(call)}: ${what}`, {
    target: call.target,
    cause: error,
  });
}

/** Anything that a link threw. */
export function linkError(call: CallName, error: unknown): RpcError {
  if (error instanceof RpcError) return error;
  const what = error instanceof Error ? error.message : String(error);
  return new RpcError("transport", `Cannot call ${describeCall(call)}: ${what}`, {
    target: call.target,
    cause: error,
  });
}

/** An answer with a status other than 0. */
export function statusError(call: CallName, response: ResponseBody): RpcError {
  const { status, headers, body } = response;
  const text = decoder.decode(body.subarray(0, TEXT_BYTES_MAX));
  if (status === Status.capabilityDenied) return deniedError(call, status, text);
  const kind = kindOf(status);
  const retryAfterMs = headerNumber(headers, HeaderName.retryAfter);
  return new RpcError(kind, text || `status ${status} without a text`, {
    status,
    target: call.target,
    body: body.slice(),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

function kindOf(status: number): RpcErrorKind {
  if (status === Status.backpressure) return "backpressure";
  if (status === Status.cancelled) return "cancelled";
  return "server_error";
}
