/**
 * How two nodes agree on a sealed session inside the Noise handshake, and whom they expect to meet
 * (`sealed.md` 1).
 *
 * Everything here has come out of an authentic handshake message, which says only that its sender
 * holds the mesh secret; message 1 may even be a replay. What a block claims is proven in `proof.ts`.
 */
import { concatBytes, equalBytes, idToHex, NetError } from "../../../base/mod.ts";
import { deriveNodeId, ENTITY_ID_BYTES, isValidEntityId } from "../identity.ts";
import { isUsableNoiseKey } from "../x25519.ts";

/** Bytes of a block of version 1. */
export const SEALED_BLOCK_BYTES = 68;
/** The one version there is. Later ones keep the layout of these 68 bytes and may append to it. */
export const SEALED_VERSION = 1;

/** Bytes of the node id that message 1 begins with. */
const NODE_ID_BYTES = 8;
/** "NX". */
const MAGIC = Uint8Array.of(0x4e, 0x58);
const FLAG_REQUIRED = 0x01;
const ENTITY_ID_AT = 4;
const NOISE_KEY_AT = ENTITY_ID_AT + ENTITY_ID_BYTES;

/** What a node says of itself in its handshake message. */
export interface SealedBlock {
  /** It accepts no compat session. */
  readonly isRequired: boolean;
  readonly entityId: Uint8Array;
  /** Its Noise static key. */
  readonly noisePublicKey: Uint8Array;
}

/** Why a block is no block. */
export type SealedBlockFault = "length" | "version" | "flags" | "entity_id" | "noise_key";

/** What there is behind the node id of message 1, or in message 2. */
export type SealedBlockReading =
  /** The peer doesn't know sealed sessions: nothing there, or something of somebody else's. */
  | { readonly kind: "absent" }
  /** The attempt fails; taking it for compat would let a fault downgrade the session. */
  | { readonly kind: "malformed"; readonly fault: SealedBlockFault }
  /** `version` is the peer's and may be above ours; both sides then speak ours. */
  | { readonly kind: "valid"; readonly block: SealedBlock; readonly version: number };

/** Payload of a routed handshake's message 1. */
export interface Message1Payload {
  /** Node id that the initiator claims. */
  readonly nodeId: bigint;
  readonly reading: SealedBlockReading;
}

/** What is known about the peer before its block is judged. */
export interface PeerExpectation {
  /** Node id the peer claims (message 1), or the one we dialled (message 2). */
  readonly nodeId: bigint;
  readonly ownEntityId: Uint8Array;
  /** Entity id known for that node id, from a ticket, a pin, the peer list or an announcement. */
  readonly knownEntityId?: Uint8Array | undefined;
  /** Noise key we dialled; left out when the peer dialled us. */
  readonly dialledNoiseKey?: Uint8Array | undefined;
  /** True when no compat session with this peer is acceptable. */
  readonly isRequired: boolean;
}

/** Why a negotiation fails. */
export type NegotiationFault =
  /** Required, and the peer doesn't know it. */
  | "not_supported"
  /** The block is malformed; the second half is the {@linkcode SealedBlockFault}. */
  | `block_${SealedBlockFault}`
  /** It is our own block. */
  | "own_entity"
  /** The entity id does not give the claimed node id. */
  | "node_id"
  /** Another entity is known under this node id. */
  | "second_entity"
  /** The block names another Noise key than the one we dialled. */
  | "dialled_key";

/** What the handshake leads to. */
export type NegotiationResult =
  | { readonly kind: "sealed"; readonly peer: SealedBlock }
  | { readonly kind: "compat" }
  | { readonly kind: "failed"; readonly fault: NegotiationFault };

/**
 * Encodes a block: message 2's payload.
 *
 * @throws RangeError when a key is not 32 bytes long.
 *
 * @example
 * ```ts
 * import { encodeSealedBlock, SEALED_BLOCK_BYTES } from "./negotiation.ts";
 * const key = new Uint8Array(32);
 * const block = encodeSealedBlock({ isRequired: true, entityId: key, noisePublicKey: key });
 * console.assert(block.length === SEALED_BLOCK_BYTES);
 * ```
 */
export function encodeSealedBlock(block: SealedBlock): Uint8Array<ArrayBuffer> {
  const { isRequired, entityId, noisePublicKey } = block;
  if (entityId.length !== ENTITY_ID_BYTES || noisePublicKey.length !== ENTITY_ID_BYTES) {
    throw new RangeError(
      `Cannot encode sealed block: keys have ${entityId.length} and ${noisePublicKey.length} ` +
        `bytes, must be ${ENTITY_ID_BYTES}`,
    );
  }
  const head = Uint8Array.of(...MAGIC, SEALED_VERSION, isRequired ? FLAG_REQUIRED : 0);
  return concatBytes(head, entityId, noisePublicKey);
}

/** Reads a block; never throws. The keys in it are copies. */
export function decodeSealedBlock(bytes: Uint8Array): SealedBlockReading {
  if (bytes[0] !== MAGIC[0] || bytes[1] !== MAGIC[1]) return { kind: "absent" };
  const version = bytes[2] ?? 0;
  const flags = bytes[3] ?? 0;
  const isNewer = version > SEALED_VERSION;
  if (bytes.length < SEALED_BLOCK_BYTES || (bytes.length > SEALED_BLOCK_BYTES && !isNewer)) {
    return malformed("length");
  }
  if (version < 1) return malformed("version");
  // A newer version may have flags that we don't know; the older one has not.
  if (!isNewer && (flags & ~FLAG_REQUIRED) !== 0) return malformed("flags");
  const entityId = bytes.slice(ENTITY_ID_AT, NOISE_KEY_AT);
  const noisePublicKey = bytes.slice(NOISE_KEY_AT, SEALED_BLOCK_BYTES);
  if (!isValidEntityId(entityId)) return malformed("entity_id");
  if (!isUsableNoiseKey(noisePublicKey)) return malformed("noise_key");
  const isRequired = (flags & FLAG_REQUIRED) !== 0;
  return { kind: "valid", block: { isRequired, entityId, noisePublicKey }, version };
}

/**
 * Encodes message 1's payload: node id, then the block if there is one.
 *
 * @throws RangeError as {@linkcode encodeSealedBlock}.
 */
export function encodeMessage1Payload(
  nodeId: bigint,
  block?: SealedBlock,
): Uint8Array<ArrayBuffer> {
  const id = new Uint8Array(NODE_ID_BYTES);
  new DataView(id.buffer).setBigUint64(0, nodeId, true);
  return block === undefined ? id : concatBytes(id, encodeSealedBlock(block));
}

/** Reads message 1's payload, with or without a block; `undefined` when it has no node id. */
export function decodeMessage1Payload(payload: Uint8Array): Message1Payload | undefined {
  if (payload.length < NODE_ID_BYTES) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, NODE_ID_BYTES);
  return {
    nodeId: view.getBigUint64(0, true),
    reading: decodeSealedBlock(payload.subarray(NODE_ID_BYTES)),
  };
}

/**
 * Decides what kind of session a handshake gives, on either side.
 *
 * Without a block the result is compat, whoever the peer claims to be; that a pinned peer must not
 * come that way is said with `isRequired`.
 */
export function judgeNegotiation(
  reading: SealedBlockReading,
  expected: PeerExpectation,
): NegotiationResult {
  if (reading.kind === "absent") {
    return expected.isRequired ? failed("not_supported") : { kind: "compat" };
  }
  if (reading.kind === "malformed") return failed(`block_${reading.fault}`);
  const { block } = reading;
  if (equalBytes(block.entityId, expected.ownEntityId)) return failed("own_entity");
  if (deriveNodeId(block.entityId) !== expected.nodeId) return failed("node_id");
  if (differs(expected.knownEntityId, block.entityId)) return failed("second_entity");
  if (differs(expected.dialledNoiseKey, block.noisePublicKey)) return failed("dialled_key");
  return { kind: "sealed", peer: block };
}

/** The error that a failed attempt ends with on the side that dialled. */
export function negotiationError(nodeId: bigint, fault: NegotiationFault): NetError {
  const { text, next } = FAULT_TEXTS[fault];
  return new NetError("handshake_refused", `Cannot reach node ${idToHex(nodeId)}: ${text}`, {
    next,
    data: { reason: fault },
  });
}

const NEXT_UPDATE = "update the older of the two programs, then try again";
const NEXT_TICKET = "ask the peer's owner for a new ticket over a channel you trust";
const NEXT_FORGET = "if the peer really has a new identity, run net node peers forget ID";

const FAULT_TEXTS: Readonly<
  Record<NegotiationFault, { readonly text: string; readonly next: string }>
> = {
  not_supported: {
    text: "peer does not support sealed sessions",
    next: "start this node with --peers any if unproven peers are acceptable",
  },
  block_length: { text: "its sealed block has a wrong length", next: NEXT_UPDATE },
  block_version: { text: "its sealed block has version 0", next: NEXT_UPDATE },
  block_flags: { text: "its sealed block has unknown flags", next: NEXT_UPDATE },
  block_entity_id: { text: "its entity id is no usable key", next: NEXT_TICKET },
  block_noise_key: { text: "its Noise key is no usable key", next: NEXT_TICKET },
  own_entity: {
    text: "it has this node's identity",
    next: "give one of the nodes another identity",
  },
  node_id: { text: "its entity id belongs to another node id", next: NEXT_TICKET },
  second_entity: { text: "another entity is known under this node id", next: NEXT_FORGET },
  dialled_key: { text: "it names another Noise key than the one dialled", next: NEXT_TICKET },
};

function malformed(fault: SealedBlockFault): SealedBlockReading {
  return { kind: "malformed", fault };
}

function failed(fault: NegotiationFault): NegotiationResult {
  return { kind: "failed", fault };
}

/** True when something is known and the block says otherwise. */
function differs(known: Uint8Array | undefined, claimed: Uint8Array): boolean {
  return known !== undefined && !equalBytes(known, claimed);
}
