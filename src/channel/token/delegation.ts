/**
 * The usual chain of a user's machines: root, machine, gateway, subagent, for one fixed channel
 * (`identity-and-channels.md` 7).
 *
 * The root stays offline; a machine passes its permission to a gateway, and that to a subagent which
 * passes it to nobody. Keeping the seeds is the caller's part.
 */
import {
  createIdentity,
  deriveChannelHash,
  deriveChildSeed,
  type Identity,
} from "../../core/crypto/mod.ts";
import { TOKEN_CHAIN_LINKS_MAX } from "./limits.ts";
import { delegateToken, type IssueDeps, issueToken } from "./issue.ts";
import { TOKEN_SCOPES } from "./scope.ts";
import type { TokenChain } from "./token_chain.ts";
import { tokenError } from "./token_error.ts";
import {
  type TokenChainQuestion,
  type TokenChainVerdict,
  verifyTokenChain,
} from "./verify_chain.ts";

/** The channel that delegation chains are for; the action on it is `subscribe`. */
export const DELEGATION_CHANNEL = "net.mcp.capability-invoke";

/** Its canonical hash. */
export const DELEGATION_CHANNEL_HASH: bigint = deriveChannelHash(DELEGATION_CHANNEL);

/** Depth of the root's grant: machine, gateway and two more. */
export const DELEGATION_DEPTH = 4;

const PASSING_ON = TOKEN_SCOPES.subscribe | TOKEN_SCOPES.delegate;

/** The identity of a child with this label; see `deriveChildSeed`. */
export function deriveChildIdentity(parentSeed: Uint8Array, label: string): Identity {
  return createIdentity(deriveChildSeed(parentSeed, label));
}

/** Options of {@linkcode grantMachine}. */
export interface GrantMachineOptions {
  /** Entity id of the machine, 32 bytes. */
  readonly machine: Uint8Array;
  /** Life in seconds, 1 to one year. */
  readonly ttlSeconds: number;
  /** How often it may be passed on; 4 when left out. */
  readonly depth?: number;
}

/**
 * The root's permission for a machine: a chain of one link, which the machine extends.
 *
 * @throws NetError with a token's kind, as `issueToken`.
 */
export function grantMachine(
  root: Identity,
  options: GrantMachineOptions,
  deps: IssueDeps,
): TokenChain {
  const { machine, ttlSeconds, depth = DELEGATION_DEPTH } = options;
  const channelHash = DELEGATION_CHANNEL_HASH;
  const link = { subject: machine, scope: PASSING_ON, channelHash, ttlSeconds, depth };
  return [issueToken(root, link, deps)];
}

/**
 * The machine's permission for a gateway, added to its own chain; the gateway may pass it on.
 *
 * @throws NetError with a token's kind, as `delegateToken`.
 */
export function extendToGateway(
  chain: TokenChain,
  machine: Identity,
  gateway: Uint8Array,
  deps: IssueDeps,
): TokenChain {
  return extendChain(chain, machine, { subject: gateway, scope: PASSING_ON }, deps);
}

/**
 * A gateway's permission for a subagent, added to its own chain; the subagent may not pass it on.
 *
 * @param leaf The last subject of `chain`.
 * @throws NetError with a token's kind: `not_authorized` when `leaf` is somebody else,
 * `delegation_exhausted` when no depth is left.
 */
export function extendToSubagent(
  chain: TokenChain,
  leaf: Identity,
  subagent: Uint8Array,
  deps: IssueDeps,
): TokenChain {
  return extendChain(chain, leaf, { subject: subagent, scope: TOKEN_SCOPES.subscribe }, deps);
}

/** Root, machine and gateway of {@linkcode createGatewayChain}. */
export interface GatewayChainOptions extends Omit<GrantMachineOptions, "machine"> {
  readonly root: Identity;
  readonly machine: Identity;
  /** Entity id, 32 bytes. */
  readonly gateway: Uint8Array;
}

/**
 * The chain of two links where root and machine are at hand together.
 *
 * @throws NetError with a token's kind.
 *
 * @example
 * ```ts
 * import { systemRandom } from "../../base/mod.ts";
 * import { createIdentity } from "../../core/crypto/mod.ts";
 * import { createGatewayChain, deriveChildIdentity, verifyDelegation } from "./delegation.ts";
 * import { encodeTokenChain } from "./token_chain.ts";
 * const seed = systemRandom(32);
 * const root = createIdentity(seed);
 * const [machine, gateway] = ["m", "g"].map((label) => deriveChildIdentity(seed, label));
 * if (machine !== undefined && gateway !== undefined) {
 *   const deps = { nowSeconds: Date.now() / 1000, random: systemRandom };
 *   const subject = gateway.entityId;
 *   const chain = createGatewayChain({ root, machine, gateway: subject, ttlSeconds: 60 }, deps);
 *   console.assert(verifyDelegation(encodeTokenChain(chain), {
 *     presenter: subject,
 *     root: root.entityId,
 *     nowSeconds: Date.now() / 1000,
 *   }).ok);
 * }
 * ```
 */
export function createGatewayChain(options: GatewayChainOptions, deps: IssueDeps): TokenChain {
  const { root, machine, gateway, ttlSeconds, depth } = options;
  const grant = grantMachine(root, { machine: machine.entityId, ttlSeconds, depth }, deps);
  return extendToGateway(grant, machine, gateway, deps);
}

/**
 * Any chain with one more link.
 *
 * @param signer The last subject of `chain`.
 * @throws NetError with a token's kind, as `delegateToken`; `delegation_exhausted` for a full chain too.
 * @throws RangeError when the chain is empty.
 */
export function extendChain(
  chain: TokenChain,
  signer: Identity,
  link: Parameters<typeof delegateToken>[2],
  deps: IssueDeps,
): TokenChain {
  const parent = chain.at(-1);
  if (parent === undefined) throw new RangeError("Cannot extend token chain: it has no links");
  if (chain.length >= TOKEN_CHAIN_LINKS_MAX) throw tokenError("delegation_exhausted");
  return [...chain, delegateToken(parent, signer, link, deps)];
}

/** What {@linkcode verifyDelegation} asks. */
export interface DelegationQuestion
  extends Omit<TokenChainQuestion, "action" | "channelHash" | "roots"> {
  /** Entity id of the root, 32 bytes. */
  readonly root: Uint8Array;
}

/** Whether bytes are a delegation chain from this root to this presenter; never throws for any bytes. */
export function verifyDelegation(
  bytes: Uint8Array,
  question: DelegationQuestion,
): TokenChainVerdict {
  return verifyTokenChain(bytes, {
    ...question,
    roots: [question.root],
    action: "subscribe",
    channelHash: DELEGATION_CHANNEL_HASH,
  });
}
