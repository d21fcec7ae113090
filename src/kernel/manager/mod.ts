/** The service manager that started this process: what it said, and what it is told. */
export {
  type AdoptedSocket,
  type AdoptedSockets,
  type AdoptedTcp,
  type AdoptedUnix,
  adoptSockets,
  assignRoles,
  type DescribeDescriptors,
  type SocketRole,
} from "./adopted_sockets.ts";
export * from "./environment.ts";
export * from "./notify_socket.ts";
export * from "./reporter.ts";
export * from "./service_manager.ts";
export * from "./stream_socket.ts";
