/** The search for UPnP gateways: SSDP requests and answers (UPnP Device Architecture 1.1, 1.3). */
import { LOCATION_CHARACTERS_MAX, SSDP_BYTES_MAX, SSDP_LINES_MAX } from "./limits.ts";

/** Where searches go. */
export const SSDP_ADDRESS = { host: "239.255.255.250", port: 1_900 } as const;

/** What is searched for. */
export const GATEWAY_DEVICES = [
  "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
  "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
] as const;

/** What a device says of itself. */
export interface SsdpAnswer {
  /** What was searched for. */
  readonly target: string;
  /** Where its description is, as it says; not checked. */
  readonly location: string;
}

/** Asks every device of a type to answer within a second. */
export function encodeSearch(target: string): Uint8Array<ArrayBuffer> {
  const { host, port } = SSDP_ADDRESS;
  const lines = [
    "M-SEARCH * HTTP/1.1",
    `HOST: ${host}:${port}`,
    `ST: ${target}`,
    'MAN: "ssdp:discover"',
    "MX: 1",
  ];
  return new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`);
}

/** Reads an answer to a search; `undefined` for what is none. */
export function decodeSsdpAnswer(bytes: Uint8Array): SsdpAnswer | undefined {
  if (bytes.length > SSDP_BYTES_MAX) return undefined;
  const lines = new TextDecoder("latin1").decode(bytes).split("\r\n", SSDP_LINES_MAX + 1);
  if (lines.length > SSDP_LINES_MAX || !/^HTTP\/1\.[01] 200( |$)/.test(lines[0] ?? "")) {
    return undefined;
  }
  const headers = new Map<string, string>();
  for (const line of lines.slice(1)) {
    if (line === "") break;
    const colon = line.indexOf(":");
    if (colon < 1) return undefined;
    const name = line.slice(0, colon).toLowerCase();
    // Of two that contradict each other neither is believed.
    if (headers.has(name) && (name === "location" || name === "st")) return undefined;
    headers.set(name, line.slice(colon + 1).trim());
  }
  const target = headers.get("st");
  const location = headers.get("location");
  if (target === undefined || location === undefined) return undefined;
  return location.length > LOCATION_CHARACTERS_MAX ? undefined : { target, location };
}
