/** The transport's public surface. */
export * from "./address.ts";
export { CaptureFile, captureSocket } from "./capture.ts";
export { openBestUdpSocket, type OpenUdpSocketOptions } from "./batched_socket.ts";
export {
  checkCounters,
  COUNTER_STAGES,
  type CounterStage,
  type TransportCounters,
} from "./counters.ts";
export { Dialer, type DialState, type DialTarget } from "./dialer.ts";
export type { HandshakeTarget, SealingPolicy } from "./handshake_types.ts";
export { MAX_EVENT_BYTES, MAX_PAYLOAD } from "./header.ts";
export { EXPECTED_MAX, HEARTBEAT_MS, SESSION_TIMEOUT_MS } from "./limits.ts";
export type { MeshTransportDeps, MeshTransportOptions } from "./mesh_options.ts";
export { MeshTransport } from "./mesh_transport.ts";
export type { DatagramSocket, SocketCounters } from "./socket.ts";
export type { PingwaveFacts } from "./pingwaves.ts";
export type { SendStreamHandle } from "./send_stream.ts";
export type { EventHandler } from "./stream_plane.ts";
export type {
  StreamDirection,
  StreamInfo,
  StreamReceiveInfo,
  StreamSendInfo,
} from "./stream_info.ts";
export * from "./types.ts";
export { openUdpSocket } from "./udp_socket.ts";
