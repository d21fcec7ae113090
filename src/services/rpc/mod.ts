/** Calls between nodes as a running service. */
export * from "./rpc_announcements.ts";
export type { RpcAnnouncements, RpcChannels, RpcReach, RpcTransport } from "./rpc_parts.ts";
export type { RpcGates, RpcServiceDeps } from "./rpc_run.ts";
export * from "./rpc_service.ts";
