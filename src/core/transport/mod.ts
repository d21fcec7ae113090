/** The transport's public surface. */
export * from "./address.ts";
export { CaptureFile, captureSocket } from "./socket/capture.ts";
export { openBestUdpSocket, type OpenUdpSocketOptions } from "./socket/batched_socket.ts";
export {
  checkCounters,
  COUNTER_STAGES,
  type CounterStage,
  type TransportCounters,
} from "./counters.ts";
export { Dialer, type DialState, type DialTarget } from "./handshake/dialer.ts";
export type { HandshakeTarget, SealingPolicy } from "./handshake/handshake_types.ts";
export { EventCursor, FRAME_PREFIX_BYTES, writeEventFrame } from "./wire/event_frame.ts";
export { encodeHandshakeDatagram } from "./wire/handshake_datagram.ts";
export * from "./wire/header.ts";
export { MAX_RELAYED_PAYLOAD } from "./wire/routing_header.ts";
export { EXPECTED_MAX, HEARTBEAT_MS, PACKET_OVERHEAD_BYTES, SESSION_TIMEOUT_MS } from "./limits.ts";
export type { MeshTransportDeps, MeshTransportOptions } from "./mesh_options.ts";
export { MeshTransport } from "./mesh_transport.ts";
export type { DatagramHandler, DatagramSocket, SocketCounters } from "./socket/socket.ts";
export type { PingwaveFacts } from "./routing/pingwaves.ts";
export { type GatedPacket, GateVerdict, type RelayGate } from "./routing/relay_gate.ts";
export * from "./port_mapping/mod.ts";
export type { SendStreamHandle } from "./streams/send_stream.ts";
export type { EventHandler } from "./streams/stream_plane.ts";
export type {
  StreamDirection,
  StreamInfo,
  StreamReceiveInfo,
  StreamSendInfo,
} from "./streams/stream_info.ts";
export * from "./types.ts";
export * from "./nat/mod.ts";
export { openUdpSocket } from "./socket/udp_socket.ts";
