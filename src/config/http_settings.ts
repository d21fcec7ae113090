/** The part of a node's configuration that is about HTTP. */
import { NetError, type SocketAddress } from "../base/mod.ts";
import type { Layers } from "./layers.ts";
import { parseHostPort, parsePort } from "./parse.ts";

/** Settings of the HTTP surface. */
export interface HttpSettings {
  /** Address it is served at; `undefined` for none. */
  readonly http: SocketAddress | undefined;
  /** Who stores objects: who has the secret, everybody of this machine, nobody. */
  readonly httpWrite: "token" | "loopback" | "off";
}

/**
 * Reads them.
 *
 * @throws NetError `usage` or `config_invalid` for values that are none, and for writes that anybody may do
 * from other machines.
 */
export function readHttpSettings(layers: Layers): HttpSettings {
  const http = layers.read(
    "http",
    parseHttpAddress,
    "must be PORT, or ADDR:PORT with an IP address",
  );
  const httpWrite = layers.read("httpWrite", parseWrite, "must be token, loopback or off") ??
    "token";
  if (http !== undefined) {
    checkHttpWrite(
      httpWrite,
      http,
      layers.origins.httpWrite === "flag" ? "usage" : "config_invalid",
    );
  }
  return { http, httpWrite };
}

/**
 * Refuses writes that anybody may do where others than this machine come.
 *
 * @throws NetError with `code`.
 */
export function checkHttpWrite(
  httpWrite: HttpSettings["httpWrite"],
  http: SocketAddress,
  code: "usage" | "config_invalid",
): void {
  if (httpWrite !== "loopback" || isLoopback(http.host)) return;
  throw new NetError(
    code,
    `Cannot serve HTTP on ${http.host}: without the secret only this machine may write`,
    { next: "leave --http-write out, or give --http 127.0.0.1:PORT" },
  );
}

/** A port alone is one of this machine: who wants others to come says so. */
function parseHttpAddress(text: string): SocketAddress | undefined {
  const port = parsePort(text);
  return port === undefined ? parseHostPort(text) : { host: "127.0.0.1", port };
}

function parseWrite(text: string): HttpSettings["httpWrite"] | undefined {
  return (["token", "loopback", "off"] as const).find((mode) => mode === text);
}

function isLoopback(host: string): boolean {
  return host === "::1" || host.startsWith("127.");
}
