/** Port mapping at the gateway: NAT-PMP, PCP and UPnP IGD, and what keeps a mapping alive. */
export { type ExchangeDeps } from "./gateway_exchange.ts";
export { type DefaultRoute, parseDefaultRoute } from "./gateway_route.ts";
export { isLocalIpv4, isPublicIpv4 } from "./ipv4_ranges.ts";
export { createNatPmpClient, type GatewayClientOptions } from "./nat_pmp_client.ts";
export { createPcpClient, type PcpClientDeps } from "./pcp_client.ts";
export {
  type PortMapAttempt,
  PortMapper,
  type PortMapperDeps,
  type PortMapperState,
} from "./port_mapper.ts";
export * from "./types.ts";
export { createUpnpClient, type UpnpClientDeps, type UpnpClientOptions } from "./upnp_client.ts";
export type { GatewayHttp, GatewayHttpDeps, GatewayHttpRequest } from "./upnp_http.ts";
