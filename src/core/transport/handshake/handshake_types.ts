/** Handshakes as others see them: with whom, on which terms, and what came of them (`wire.md` 4). */
import type { SealedBlock, SessionKeys, SplitKeys } from "../../crypto/mod.ts";
import type { SessionForm, SocketAddress } from "../types.ts";

/** A node to shake hands with. */
export interface HandshakeTarget {
  readonly nodeId: bigint;
  /** Its Noise static key. */
  readonly noisePublicKey: Uint8Array;
  /** Message 1 goes to all of them; the first answer decides. A direct handshake uses the first. */
  readonly addresses: readonly SocketAddress[];
  readonly form: SessionForm;
}

/** What a sealed session is made from (`sealed.md` 2). */
export interface SealedHandshake {
  /** What the peer says of itself; believed only after its proof. */
  readonly peer: SealedBlock;
  /** Consumed by the session. */
  readonly splitKeys: SplitKeys;
  readonly handshakeHash: Uint8Array;
}

/** Id of a session, and its keys if it is a compat one. */
export type HandshakeKeys =
  & Pick<SessionKeys, "sessionIdLow" | "sessionIdHigh" | "noncePrefix">
  & Partial<Pick<SessionKeys, "sendKey" | "receiveKey">>;

/** Outcome of a completed handshake. */
export interface HandshakeResult {
  readonly nodeId: bigint;
  readonly keys: HandshakeKeys;
  /** Set when both sides agreed on a sealed session. */
  readonly sealed?: SealedHandshake;
  readonly isInitiator: boolean;
  /** First 8 bytes of message 1's ephemeral key, hex: they name the handshake. */
  readonly ephemeral: string;
  readonly form: SessionForm;
  readonly address: SocketAddress;
  /** True when this node may send there as much as it likes; see `AddressGuard`. */
  readonly isAddressProven: boolean;
  /** True when a relay stood in between. */
  readonly isRelayed: boolean;
}

/** Who this node is on sealed sessions, and what it asks of others. */
export interface SealingOptions {
  readonly entityId: Uint8Array;
  /** What is known of a node; an unknown one may be anybody and seal or not. */
  readonly policyOf: (nodeId: bigint) => SealingPolicy;
}

/** What is asked of one node. */
export interface SealingPolicy {
  readonly knownEntityId?: Uint8Array;
  /** No compat session with it is acceptable. */
  readonly isRequired: boolean;
}
