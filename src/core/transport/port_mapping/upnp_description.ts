/** What a gateway's description says: where its WAN connections are controlled. */
import { LOCATION_CHARACTERS_MAX, WAN_SERVICES_MAX } from "./limits.ts";
import { xmlChild, type XmlElement } from "./xml.ts";

/** Services that map ports, the best first. */
export const WAN_SERVICES = [
  "urn:schemas-upnp-org:service:WANIPConnection:2",
  "urn:schemas-upnp-org:service:WANIPConnection:1",
  "urn:schemas-upnp-org:service:WANPPPConnection:1",
] as const;

/** One WAN connection. */
export interface WanService {
  readonly type: typeof WAN_SERVICES[number];
  readonly controlUrl: string;
}

/**
 * The URL if it is plain HTTP to `host` with nothing in it that could lead elsewhere.
 *
 * @param base What a relative one starts from.
 */
export function gatewayUrl(text: string, host: string, base?: string): string | undefined {
  if (text.length > LOCATION_CHARACTERS_MAX || !URL.canParse(text, base)) return undefined;
  const url = new URL(text, base);
  const isSafe = url.protocol === "http:" && url.hostname === host && url.username === "" &&
    url.password === "" && url.hash === "";
  return isSafe ? url.href : undefined;
}

/**
 * The WAN connections of a gateway, the best first, at most {@linkcode WAN_SERVICES_MAX}.
 *
 * @param root The parsed description.
 * @param location Where it was fetched; control is taken on the same host only.
 */
export function findWanServices(
  root: XmlElement,
  location: string,
  host: string,
): readonly WanService[] {
  if (root.name !== "root") return [];
  const baseText = xmlChild(root, "URLBase")?.text ?? "";
  const base = baseText === "" ? location : gatewayUrl(baseText, host, location) ?? location;
  const found: WanService[] = [];
  for (const service of servicesOf(xmlChild(root, "device"))) {
    const typeText = xmlChild(service, "serviceType")?.text;
    const type = WAN_SERVICES.find((known) => known === typeText);
    const controlText = xmlChild(service, "controlURL")?.text ?? "";
    const controlUrl = controlText === "" ? undefined : gatewayUrl(controlText, host, base);
    if (type !== undefined && controlUrl !== undefined) found.push({ type, controlUrl });
  }
  const rank = ({ type }: WanService) => WAN_SERVICES.indexOf(type);
  return found.sort((a, b) => rank(a) - rank(b)).slice(0, WAN_SERVICES_MAX);
}

/** Services of a device and of the devices in it; the depth is bounded by the reader of XML. */
function servicesOf(device: XmlElement | undefined): readonly XmlElement[] {
  if (device === undefined) return [];
  const own = xmlChild(device, "serviceList")?.children ?? [];
  const inner = xmlChild(device, "deviceList")?.children ?? [];
  return [
    ...own.filter(({ name }) => name === "service"),
    ...inner.filter(({ name }) => name === "device").flatMap(servicesOf),
  ];
}
