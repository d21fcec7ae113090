/**
 * HTTP to a gateway of the local network: one request, no redirect, no proxy, no connection kept, and no
 * more read than was asked for.
 *
 * It is not `fetch`, because that obeys the variables that name a proxy, and no proxy belongs between a
 * node and its own gateway.
 */
import { request as startRequest } from "node:http";
import type { GatewayHttpRequest } from "../../core/transport/mod.ts";

/**
 * Sends the request.
 *
 * @throws Error when the gateway does not answer in HTTP or says more than `bytesMax`; the signal's reason.
 */
export function askGatewayByHttp(
  { url, method, headers, body, bytesMax, signal }: GatewayHttpRequest,
): Promise<{ readonly status: number; readonly body: Uint8Array }> {
  if (signal.aborted) return Promise.reject(signal.reason);
  const { promise, resolve, reject } = Promise.withResolvers<
    { readonly status: number; readonly body: Uint8Array }
  >();
  const bytes = body === undefined ? undefined : new TextEncoder().encode(body);
  const length = bytes === undefined ? {} : { "Content-Length": String(bytes.length) };
  const request = startRequest(url, {
    method,
    agent: false,
    headers: { ...headers, ...length, Connection: "close" },
  }, (response) => {
    const parts: Uint8Array[] = [];
    let total = 0;
    response.on("data", (part: Uint8Array) => {
      total += part.length;
      parts.push(Uint8Array.from(part));
      if (total > bytesMax) fail(new Error(`the answer is longer than ${bytesMax} bytes`));
    });
    response.on("error", (error) => fail(error));
    response.on("end", () => {
      const whole = new Uint8Array(total);
      let at = 0;
      for (const part of parts) {
        whole.set(part, at);
        at += part.length;
      }
      resolve({ status: response.statusCode ?? 0, body: whole });
    });
  });
  const fail = (error: unknown) => {
    reject(error);
    request.destroy();
  };
  const onAbort = () => fail(signal.reason);
  request.on("error", (error) => reject(error));
  signal.addEventListener("abort", onAbort, { once: true });
  request.end(bytes);
  return promise.finally(() => signal.removeEventListener("abort", onAbort));
}
