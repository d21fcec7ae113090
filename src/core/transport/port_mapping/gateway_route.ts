/** The default gateway in the text of Linux's `/proc/net/route`. */
import { formatIpAddress } from "../../../base/mod.ts";

/** A default route over IPv4. */
export interface DefaultRoute {
  readonly interfaceName: string;
  readonly gateway: string;
}

/** A table of routes longer than this is not read to its end. */
const ROUTES_MAX = 4_096;
const FLAG_UP = 1;
const FLAG_GATEWAY = 2;

/**
 * The default route with the smallest metric; `undefined` when there is none.
 *
 * @param text The whole file; its numbers are hexadecimal, addresses in the machine's byte order, which
 * is little-endian wherever this program runs.
 */
export function parseDefaultRoute(text: string): DefaultRoute | undefined {
  let best: DefaultRoute | undefined;
  let bestMetric = Infinity;
  for (const line of text.split("\n", ROUTES_MAX).slice(1)) {
    const [name = "", destination, gateway = "", flagsText = "", , , metricText, mask] = line.trim()
      .split(/\s+/);
    if (destination !== "00000000" || mask !== "00000000") continue;
    if (!/^[0-9a-f]{8}$/i.test(gateway) || gateway === "00000000") continue;
    const flags = parseInt(flagsText, 16);
    const metric = Number(metricText);
    const isUsable = (flags & FLAG_UP) !== 0 && (flags & FLAG_GATEWAY) !== 0;
    if (!isUsable || !(metric < bestMetric)) continue;
    bestMetric = metric;
    best = { interfaceName: name, gateway: formatIpAddress(Uint8Array.fromHex(gateway).reverse()) };
  }
  return best;
}
