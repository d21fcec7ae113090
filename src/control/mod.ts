/** The control surface: JSON-RPC lines on a unix socket and TCP, and a client for them. */
export * from "./client.ts";
export * from "./control_server.ts";
export type { ControlCounters } from "./counters.ts";
export * from "./health.ts";
export type { LineServerLimits } from "./line_server.ts";
export * from "./method.ts";
export {
  folderProblem,
  pidPath,
  resolveSocketPath,
  socketMode,
  socketName,
  type SocketPlace,
  type SocketPlaceOptions,
  socketPlaces,
} from "./socket_path.ts";
export { LineBuffer } from "./line_buffer.ts";
export { isSocketLive } from "./socket_probe.ts";
export { type ByteStream, deriveHandshakeKey, openBtsp, readFamilySeed } from "./btsp/mod.ts";
