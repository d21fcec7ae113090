/** What a transport is made from. */
import type { Clock, RandomBytes } from "../../base/mod.ts";
import type { Log } from "../../observe/mod.ts";
import type { NoiseKeyPair, PacketCipher } from "../crypto/mod.ts";
import type { SealingOptions } from "./handshake/handshake_types.ts";
import type { SessionProver } from "./session/session_context.ts";
import type { DatagramSocket } from "./socket/socket.ts";

/** What `MeshTransport` needs. */
export interface MeshTransportDeps {
  readonly socket: DatagramSocket;
  readonly cipher: PacketCipher;
  readonly clock: Clock;
  readonly log: Log;
  /** The system's when left out. */
  readonly random?: RandomBytes;
}

/** Who this node is and how patient it is. */
export interface MeshTransportOptions {
  readonly nodeId: bigint;
  readonly noiseKeys: NoiseKeyPair;
  /** The 32-byte secret (PSK) all nodes of the mesh share. */
  readonly meshSecret: Uint8Array;
  /** Node ids whose direct handshakes are accepted; at most 64. */
  readonly expected?: readonly bigint[];
  readonly heartbeatMs?: number;
  readonly sessionTimeoutMs?: number;
  /** Identity for sealed sessions; left out, every session is compat. */
  readonly sealing?: SessionProver & Pick<SealingOptions, "policyOf">;
}
