/**
 * Maps a port with UPnP IGD: search, description, control of a WAN connection.
 *
 * Only the default gateway is believed: another machine of the network could otherwise name itself the
 * gateway and have us announce whatever address it likes. Control goes to the host that answered, over
 * plain HTTP, without redirects.
 */
import { parseIpAddress, type RandomBytes, type SocketAddress } from "../../../base/mod.ts";
import { exchange, type ExchangeDeps } from "./gateway_exchange.ts";
import { isLocalIpv4, isPublicIpv4 } from "./ipv4_ranges.ts";
import {
  DESCRIPTION_BYTES_MAX,
  EXTERNAL_PORTS_MAX,
  MAPPING_DESCRIPTION,
  SEARCH_MS,
  SSDP_BYTES_MAX,
} from "./limits.ts";
import { doubleNat } from "./nat_pmp_client.ts";
import { UPNP_CONFLICT, UPNP_ONLY_PERMANENT_LEASES, UPNP_SAME_PORTS_REQUIRED } from "./soap.ts";
import { decodeSsdpAnswer, encodeSearch, GATEWAY_DEVICES, SSDP_ADDRESS } from "./ssdp.ts";
import {
  type GatewayPlace,
  type PortMapClient,
  PortMapError,
  type PortMapOptions,
  type PortMapping,
  type PortMapRequest,
} from "./types.ts";
import { askByHttp, createSoapCaller, type GatewayHttpDeps, UpnpFault } from "./upnp_http.ts";
import { findWanServices, gatewayUrl, type WanService } from "./upnp_description.ts";
import { parseXml } from "./xml.ts";

/** What the client needs. */
export interface UpnpClientDeps extends ExchangeDeps, GatewayHttpDeps {
  readonly random: RandomBytes;
}

/** Options of {@linkcode createUpnpClient}. */
export interface UpnpClientOptions {
  /** Where searches go; the multicast group of SSDP when left out. */
  readonly searchAddress?: SocketAddress;
  readonly isExternal?: (host: string) => boolean;
}

/** Times from the start of a search at which it is sent: datagrams get lost. */
const SEARCH_AT_MS = [0, 500] as const;

/** Creates the client; it remembers which connection answered, for renewals. */
export function createUpnpClient(
  deps: UpnpClientDeps,
  { searchAddress = SSDP_ADDRESS, isExternal = isPublicIpv4 }: UpnpClientOptions = {},
): PortMapClient {
  const call = createSoapCaller(deps);

  const mapBy = async (
    service: WanService,
    request: PortMapRequest,
    { signal }: PortMapOptions,
  ): Promise<PortMapping> => {
    const { gateway, internalHost, internalPort } = request;
    const { values } = await call(service, "GetExternalIPAddress", [], signal);
    const host = values.get("NewExternalIPAddress") ?? "";
    if (host !== "" && parseIpAddress(host) === undefined) {
      throw new PortMapError("malformed", `${gateway} has an address outside that can't be read`);
    }
    if (!isExternal(host)) throw doubleNat(gateway, host === "" ? "no address" : host);
    let { externalPort, leaseSeconds } = request;
    let mustBeSame = false;
    for (let ports = 1; ports <= EXTERNAL_PORTS_MAX;) {
      try {
        await call(service, "AddPortMapping", [
          ["NewRemoteHost", ""],
          ["NewExternalPort", String(externalPort)],
          ["NewProtocol", "UDP"],
          ["NewInternalPort", String(internalPort)],
          ["NewInternalClient", internalHost],
          ["NewEnabled", "1"],
          ["NewPortMappingDescription", MAPPING_DESCRIPTION],
          ["NewLeaseDuration", String(leaseSeconds)],
        ], signal);
        return {
          protocol: "upnp",
          external: { host, port: externalPort },
          internalHost,
          internalPort,
          gateway,
          leaseSeconds,
        };
      } catch (error) {
        const code = error instanceof UpnpFault ? error.faultCode : undefined;
        if (code === UPNP_ONLY_PERMANENT_LEASES && leaseSeconds !== 0) leaseSeconds = 0;
        else if (code === UPNP_SAME_PORTS_REQUIRED && !mustBeSame) {
          mustBeSame = true;
          externalPort = internalPort;
        } else if (code === UPNP_CONFLICT && !mustBeSame) {
          ports += 1;
          externalPort = highPort(deps.random);
        } else if (code !== UPNP_CONFLICT) throw error;
        else break;
      }
    }
    throw new PortMapError("conflict", `${gateway} has given away every port that was tried`);
  };

  let known: { readonly gateway: string; readonly service: WanService } | undefined;

  return {
    protocol: "upnp",
    map: async (request, options = {}): Promise<PortMapping> => {
      if (known?.gateway === request.gateway) {
        try {
          return await mapBy(known.service, request, options);
        } catch (error) {
          options.signal?.throwIfAborted();
          if (error instanceof UpnpFault) throw error;
          // A gateway that started again may listen elsewhere.
          known = undefined;
        }
      }
      const services = await findServices(deps, searchAddress, request, options);
      let first: unknown;
      for (const service of services) {
        try {
          const mapping = await mapBy(service, request, options);
          known = { gateway: request.gateway, service };
          return mapping;
        } catch (error) {
          options.signal?.throwIfAborted();
          first ??= error;
        }
      }
      throw first;
    },
    unmap: async (mapping, { signal } = {}): Promise<void> => {
      if (known?.gateway !== mapping.gateway) {
        throw new PortMapError("silent", `${mapping.gateway} is not known by UPnP any more`);
      }
      await call(known.service, "DeletePortMapping", [
        ["NewRemoteHost", ""],
        ["NewExternalPort", String(mapping.external.port)],
        ["NewProtocol", "UDP"],
      ], signal);
    },
  };
}

/** Searches the gateway and reads its description. */
async function findServices(
  deps: UpnpClientDeps,
  searchAddress: SocketAddress,
  { gateway, internalHost }: GatewayPlace,
  { signal }: PortMapOptions,
): Promise<readonly WanService[]> {
  const location = await exchange(deps, {
    localHost: internalHost,
    to: searchAddress,
    requests: GATEWAY_DEVICES.map(encodeSearch),
    sendAtMs: SEARCH_AT_MS,
    deadlineMs: SEARCH_MS,
    isAnswerer: (from) => from.host === gateway && isLocalIpv4(gateway),
    read: (bytes) => {
      const answer = decodeSsdpAnswer(bytes);
      if (answer === undefined || !GATEWAY_DEVICES.some((one) => one === answer.target)) {
        return undefined;
      }
      return gatewayUrl(answer.location, gateway);
    },
    bytesMax: SSDP_BYTES_MAX,
    signal,
  });
  if (location === undefined) {
    throw new PortMapError("silent", `${gateway} does not answer searches for UPnP gateways`);
  }
  const { status, body } = await askByHttp(deps, gateway, signal, (signal) => ({
    url: location,
    method: "GET",
    headers: {},
    bytesMax: DESCRIPTION_BYTES_MAX,
    signal,
  }));
  const root = status === 200 ? parseXml(new TextDecoder().decode(body)) : undefined;
  if (root === undefined) {
    throw new PortMapError("malformed", `${gateway} has no description that can be read by UPnP`);
  }
  const services = findWanServices(root, location, gateway);
  if (services.length > 0) return services;
  throw new PortMapError("unsupported", `${gateway} offers no WAN connection by UPnP`);
}

/** A port from the dynamic range. */
function highPort(random: RandomBytes): number {
  const [high = 0, low = 0] = random(2);
  return 49_152 + ((high << 8 | low) & 0x3fff);
}
