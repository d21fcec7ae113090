/**
 * Tags about causal chains (`capabilities.md` 2, `dataforts.md` 15, `meshdb.md` 2): who holds one and how
 * much of it, what it was forked from, how much it is read. A chain is named by its 64-bit origin hash.
 *
 * What a claim covers is for the planner of queries; here it is only written and read.
 */
import { idToHex } from "../../../base/mod.ts";
import type { CapabilitySet } from "../capability_set.ts";
import { unsignedOfText } from "../predicate/number_text.ts";
import { readTagsBehind } from "./axis_tags.ts";

const CHAIN_DIGITS = 16;
const BLOB_BYTES = 32;
const HOLDER = "causal:";
const FORK = "fork-of:";
const HEAT = "heat:";
const BLOB_HEAT = "heat:blob:";
const U64_MAX = (1n << 64n) - 1n;
const HEX = /^[0-9a-f]+$/;
const RANGE = /^\[([^\].]*)\.\.([^\]]*)\]$/;
const HEAT_BODY = /^([0-9a-f]+)=([0-9.]+)$/;

/** How much of a chain a node says that it holds. */
export type ChainClaim =
  | { readonly chain: bigint; readonly kind: "presence" }
  /** Everything up to and with `tip`. */
  | { readonly chain: bigint; readonly kind: "tip"; readonly tip: bigint }
  /** From `start` up to, not with, `end`. */
  | {
    readonly chain: bigint;
    readonly kind: "range";
    readonly start: bigint;
    readonly end: bigint;
  };

/**
 * The tag of a claim.
 *
 * @throws RangeError when a number is outside 64 bits or a range is empty.
 *
 * @example
 * ```ts
 * import { chainClaimTag } from "./chain_tags.ts";
 * console.assert(chainClaimTag({ chain: 1n, kind: "tip", tip: 7n }) === "causal:0000000000000001:7");
 * ```
 */
export function chainClaimTag(claim: ChainClaim): string {
  const name = HOLDER + chainName(claim.chain);
  if (claim.kind === "presence") return name;
  if (claim.kind === "tip") return `${name}:${requireU64("tip", claim.tip)}`;
  const { start, end } = claim;
  if (start < end) return `${name}[${requireU64("start", start)}..${requireU64("end", end)}]`;
  throw new RangeError(`Cannot claim chain: range is ${start}..${end}, must not be empty`);
}

/** The tag of a chain's parent. */
export function forkTag(parent: bigint): string {
  return FORK + chainName(parent);
}

/**
 * The tag of a chain's heat.
 *
 * @param rate 0 to 1, two decimals count; what is outside is brought to the nearer end.
 * @throws RangeError when the rate is NaN.
 */
export function chainHeatTag(chain: bigint, rate: number): string {
  return `${HEAT}${chainName(chain)}=${formatRate(rate)}`;
}

/**
 * The tag of a chunk's heat; rates as in {@linkcode chainHeatTag}.
 *
 * @param hash BLAKE3 of the chunk, 32 bytes.
 */
export function blobHeatTag(hash: Uint8Array, rate: number): string {
  if (hash.length === BLOB_BYTES) return `${BLOB_HEAT}${hash.toHex()}=${formatRate(rate)}`;
  throw new RangeError(`Cannot tell heat: hash has ${hash.length} bytes, must have ${BLOB_BYTES}`);
}

/** Reads a holder's tag; `undefined` when it is none or is not written as it must be. */
export function parseChainClaim(tag: string): ChainClaim | undefined {
  if (!tag.startsWith(HOLDER)) return undefined;
  const chain = chainOf(tag, HOLDER.length);
  if (chain === undefined) return undefined;
  const rest = tag.slice(HOLDER.length + CHAIN_DIGITS);
  if (rest === "") return { chain, kind: "presence" };
  if (rest.startsWith(":")) {
    const tip = u64OfText(rest.slice(1));
    return tip === undefined ? undefined : { chain, kind: "tip", tip };
  }
  const [, first = "", last = ""] = RANGE.exec(rest) ?? [];
  const start = u64OfText(first);
  const end = u64OfText(last);
  if (start === undefined || end === undefined || start >= end) return undefined;
  return { chain, kind: "range", start, end };
}

/** Every readable claim of a set, ordered by the chain's digits. */
export function readChainClaims(set: CapabilitySet): readonly ChainClaim[] {
  const claims: ChainClaim[] = [];
  readTagsBehind(set.tags, HOLDER, (body) => {
    const claim = parseChainClaim(HOLDER + body);
    if (claim !== undefined) claims.push(claim);
  });
  return claims;
}

/** True when the set claims the chain, whatever part of it. */
export function requireChain(set: CapabilitySet, chain: bigint): boolean {
  const name = chainName(chain);
  let isHeld = false;
  readTagsBehind(set.tags, HOLDER + name, (rest) => {
    isHeld ||= rest === "" || rest.startsWith(":") || rest.startsWith("[");
  });
  return isHeld;
}

/** True when the set claims one of the chains. */
export function requireAnyChain(set: CapabilitySet, chains: Iterable<bigint>): boolean {
  for (const chain of chains) if (requireChain(set, chain)) return true;
  return false;
}

/** True when the set does not claim the chain. */
export function excludeChain(set: CapabilitySet, chain: bigint): boolean {
  return !requireChain(set, chain);
}

/** True when the set holds something that was forked from the parent. */
export function fromFork(set: CapabilitySet, parent: bigint): boolean {
  return set.tags.includes(forkTag(parent));
}

/** How much a chain is read, 0 to 1; `undefined` when the set does not say. */
export function heatLevel(set: CapabilitySet, chain: bigint): number | undefined {
  const name = chainName(chain);
  let level: number | undefined;
  readTagsBehind(set.tags, HEAT + name, (rest) => {
    const [, , rate = ""] = HEAT_BODY.exec(name + rest) ?? [];
    const value = Number(rate);
    if (rate !== "" && value >= 0 && value <= 1) level = value;
  });
  return level;
}

function chainOf(tag: string, at: number): bigint | undefined {
  const digits = tag.slice(at, at + CHAIN_DIGITS);
  return digits.length === CHAIN_DIGITS && HEX.test(digits) ? BigInt(`0x${digits}`) : undefined;
}

function u64OfText(text: string): bigint | undefined {
  const value = unsignedOfText(text);
  return value === undefined ? undefined : BigInt(value);
}

function chainName(chain: bigint): string {
  return idToHex(requireU64("chain", chain));
}

function requireU64(what: string, value: bigint): bigint {
  if (value >= 0n && value <= U64_MAX) return value;
  throw new RangeError(`Cannot write tag: ${what} is ${value}, must be 0..2^64-1`);
}

function formatRate(rate: number): string {
  if (Number.isNaN(rate)) throw new RangeError("Cannot tell heat: rate is NaN, must be 0..1");
  return Math.min(1, Math.max(0, rate)).toFixed(2);
}
