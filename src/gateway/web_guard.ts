/**
 * Keeps web pages out of a listener on this machine (`decisions.md` 4): a page of anywhere can have the browser
 * send requests to loopback, under its own name for it or another's.
 */
import type { Problem } from "./problem.ts";

const LOOPBACK_NAME = /^(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?$/i;
const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

/** True for an address that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === "::1" || /^127(\.[0-9]{1,3}){3}$/.test(host);
}

/**
 * Why a request is not taken; `undefined` when it may pass.
 *
 * @param isLocal The listener is on a loopback address.
 */
export function checkWebOrigin(
  request: { readonly method: string; readonly headers: Headers; readonly host: string },
  isLocal: boolean,
): Problem | undefined {
  const { method, headers, host } = request;
  if (isLocal && !LOOPBACK_NAME.test(host)) {
    return {
      status: 421,
      code: "misdirected",
      message: "Cannot serve request: its Host is not this machine",
      reason: "host",
      next: "use 127.0.0.1 or localhost",
    };
  }
  const origin = headers.get("origin");
  const isForeign = origin !== null && origin.toLowerCase() !== `http://${host.toLowerCase()}`;
  const isEmbedded = headers.get("sec-fetch-site") === "cross-site" &&
    headers.get("sec-fetch-mode") !== "navigate";
  if ((isForeign || isEmbedded) && (isLocal || !SAFE.has(method))) {
    return {
      status: 403,
      code: "not_allowed",
      message: "Cannot serve request: it comes from a web page of another origin",
      reason: "origin",
      next: "send it from a program, or have a server of that page send it",
    };
  }
  return undefined;
}
