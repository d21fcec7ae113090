/** Asks a publisher for a channel by hand, byte by byte, from a transport that has no channels itself. */
import { concatBytes, utf8 } from "../../src/base/mod.ts";
import { decodeMembership, SUBPROTOCOL_MEMBERSHIP } from "../../src/channel/mod.ts";
import type { MeshTransport } from "../../src/core/transport/mod.ts";

const STREAM = BigInt(SUBPROTOCOL_MEMBERSHIP);
const ACK_MS = 8_000;

/** What is asked for. */
export interface Asking {
  readonly name: string;
  /** Any bytes, whether they are a chain or not. */
  readonly chain?: Uint8Array;
  readonly queueGroup?: string;
}

/** Sends a request; the reason of the answer, 0 when it was accepted, -1 when none came. */
export async function askToSubscribe(
  transport: MeshTransport,
  publisher: bigint,
  { name, chain = new Uint8Array(0), queueGroup }: Asking,
): Promise<number> {
  const nonce = crypto.getRandomValues(new Uint8Array(8));
  const text = utf8(name);
  const group = queueGroup === undefined ? undefined : utf8(queueGroup);
  const message = concatBytes(
    new Uint8Array([0]),
    nonce,
    new Uint8Array([text.length]),
    text,
    new Uint8Array([chain.length & 0xff, chain.length >> 8]),
    chain,
    group === undefined ? new Uint8Array(0) : concatBytes(new Uint8Array([group.length]), group),
  );
  const asked = new DataView(nonce.buffer).getBigUint64(0, true);
  const { promise, resolve } = Promise.withResolvers<number>();
  const stop = transport.onMessage(SUBPROTOCOL_MEMBERSHIP, ({ payload }) => {
    const decoded = decodeMembership(payload);
    if (!decoded.ok || decoded.message.kind !== "ack" || decoded.message.nonce !== asked) return;
    resolve(decoded.message.reason);
  });
  transport.sendMessage(publisher, SUBPROTOCOL_MEMBERSHIP, STREAM, message);
  const timer = setTimeout(() => resolve(-1), ACK_MS);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    stop();
  }
}
