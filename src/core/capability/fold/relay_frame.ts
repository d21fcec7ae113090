/**
 * How nodes of ours pass on what others said, beyond the one hop that the reference knows (promise C5):
 * subprotocol 0x2202, an extension in the vendors' range (`docs/folds.md`).
 *
 * `01 ‖ hops ‖ entity id of the publisher ‖ envelope`, the envelope as its publisher signed it. The
 * number of nodes it went through is not signed; a node that lies about it is stopped by the rest of
 * `relay.ts`.
 */
import { ENTITY_ID_BYTES } from "../../crypto/mod.ts";
import { FOLD_ENVELOPE_BYTES_MAX, RELAY_HOPS_MAX } from "./limits.ts";

/** Subprotocol and stream of statements that are passed on. */
export const SUBPROTOCOL_FOLD_RELAY = 0x2202;

/** Tag by which a node says that it takes them; nobody else is sent any. */
export const TAG_FOLD_RELAY = "net.fold-relay@1";

/** One statement on its way. */
export interface RelayedFold {
  /** Nodes it went through, at least 1. */
  readonly hops: number;
  readonly publisher: Uint8Array;
  readonly envelope: Uint8Array;
}

const VERSION = 1;
const HEAD_BYTES = 2 + ENTITY_ID_BYTES;

/** Bytes to send; `undefined` when they do not fit in one event. */
export function encodeRelayedFold(relayed: RelayedFold): Uint8Array<ArrayBuffer> | undefined {
  const { hops, publisher, envelope } = relayed;
  const length = HEAD_BYTES + envelope.length;
  if (length > FOLD_ENVELOPE_BYTES_MAX) return undefined;
  const bytes = new Uint8Array(length);
  bytes[0] = VERSION;
  bytes[1] = hops;
  bytes.set(publisher, 2);
  bytes.set(envelope, HEAD_BYTES);
  return bytes;
}

/** Reads a frame; `undefined` for anything else. The publisher is copied, the envelope is a view. */
export function decodeRelayedFold(bytes: Uint8Array): RelayedFold | undefined {
  if (bytes.length <= HEAD_BYTES || bytes.length > FOLD_ENVELOPE_BYTES_MAX) return undefined;
  const [version, hops = 0] = bytes;
  if (version !== VERSION || hops < 1 || hops > RELAY_HOPS_MAX) return undefined;
  return { hops, publisher: bytes.slice(2, HEAD_BYTES), envelope: bytes.subarray(HEAD_BYTES) };
}
