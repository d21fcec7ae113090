/** A receipt for a write, with which a reader waits until a fold has seen it (`storage.md` 5). */

/** Who wrote, and the sequence number in the log. */
export interface WriteToken {
  readonly origin: bigint;
  readonly seq: bigint;
}

const TEXT = /^([0-9a-fA-F]{16}):\+?([0-9]{1,20})$/;
const U64_MAX = (1n << 64n) - 1n;

/** Sixteen hex digits, a colon, the decimal number. */
export function formatWriteToken({ origin, seq }: WriteToken): string {
  return `${origin.toString(16).padStart(16, "0")}:${seq}`;
}

/** Reads what {@linkcode formatWriteToken} wrote; `undefined` for anything else. */
export function parseWriteToken(text: string): WriteToken | undefined {
  const [, origin, seq] = TEXT.exec(text) ?? [];
  if (origin === undefined || seq === undefined) return undefined;
  const token = { origin: BigInt(`0x${origin}`), seq: BigInt(seq) };
  return token.seq > U64_MAX ? undefined : token;
}
