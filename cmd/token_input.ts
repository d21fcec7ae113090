/** What the token verbs are given: tokens, entities, channels, scopes, lives, and the user's own list. */
import { fromHex, NetError, systemClock } from "../src/base/mod.ts";
import { absolutePath, defaultRevocationFile, parseDuration } from "../src/config/mod.ts";
import type { TokenChain } from "../src/channel/mod.ts";
import type { NetContext } from "./context.ts";
import { type SharedFlags, textFlag } from "./flags.ts";
import { openIdentity, proposeIdentities } from "./identity_place.ts";
import { readInput } from "./input.ts";
import type { Output } from "./output.ts";

/** A chain of eight is below 3 KiB of hex. */
const TOKEN_TEXT_BYTES_MAX = 8 * 1024;

/** Letters shown of what should have been a token. */
const TOKEN_WORD_SHOWN = 64;

/** Clocks are forgiven this much at most; readers take more for this (`docs/tokens.md`). */
const SKEW_SECONDS_MAX = 300;

/** Longest life of a token in seconds: 365 days. */
const LIFE_SECONDS_MAX = 31_536_000;

/** The argument that is a token. */
export const TOKEN_ARGUMENT = {
  parse: String,
  placeholder: "TOKEN",
  brief: "Token in hex, @FILE, or - for standard input",
} as const;

/** The argument that is somebody. */
export const SUBJECT_ARGUMENT = {
  parse: String,
  placeholder: "SUBJECT",
  brief: "Who may: an entity id of 64 hex digits, or a named identity",
  proposeCompletions: proposeIdentities,
} as const;

/** Flag of the identity that signs. */
export const IDENTITY_FLAG = {
  ...textFlag("NAME", "Identity that signs; default: the node's own"),
  proposeCompletions: proposeIdentities,
} as const;

/** Flag of the revocations file. */
export const REVOCATIONS_FLAG = textFlag(
  "FILE",
  "Issuers whose tokens were taken back; default: your own list",
);

/** Unix seconds now. */
export function nowSeconds(): number {
  return Math.floor(systemClock.wallMs() / 1000);
}

/**
 * A token as the user has it. A single one without its count byte, as other programs of the mesh print
 * it, counts as a chain of one link when it is signed well; else it is a chain that was cut.
 *
 * @throws NetError `usage` with `token: invalid_format`, `not_found` when there is no such file.
 */
export async function readToken(context: NetContext, given: string): Promise<TokenChain> {
  const { decodeToken, decodeTokenChain, isTokenSigned, tokenError } = await import(
    "../src/channel/mod.ts"
  );
  const content = await readContent(context, given);
  if (content !== undefined) {
    const bytes = fromHex(new TextDecoder().decode(content).trim()) ?? content;
    const chain = decodeTokenChain(bytes);
    if (chain.ok) return chain.chain;
    const single = decodeToken(bytes);
    if (single.ok && isTokenSigned(single.token)) return [single.token];
  }
  throw tokenError("invalid_format", describeNoToken(given));
}

/** The canonical text of a token: its chain in hex. */
export async function tokenText(chain: TokenChain): Promise<string> {
  const { encodeTokenChain } = await import("../src/channel/mod.ts");
  return encodeTokenChain(chain).toHex();
}

/**
 * The entity id behind 64 hex digits or the name of an identity.
 *
 * @throws NetError `usage` when the digits are nobody's id, `not_found` when the name is not known.
 */
export async function readEntity(
  context: NetContext,
  flags: SharedFlags,
  given: string,
  output: Output,
): Promise<Uint8Array> {
  const { createIdentity, isValidEntityId } = await import("../src/core/crypto/mod.ts");
  const id = fromHex(given, 32);
  if (id === undefined) {
    const { state } = await openIdentity(context, flags, given, output);
    return createIdentity(state.seed).entityId;
  }
  if (isValidEntityId(id)) return id;
  // Not shown: it may be a secret that was put in the wrong place.
  throw new NetError("usage", "Cannot use entity id: it is no ed25519 public key", {
    next: "print the id with net identity show on the other machine",
  });
}

/**
 * The canonical hash of a channel name.
 *
 * @throws NetError `usage` when it is none.
 */
export async function channelHashOf(name: string): Promise<bigint> {
  const { deriveChannelHash, isValidChannelName } = await import("../src/core/crypto/mod.ts");
  if (isValidChannelName(name)) return deriveChannelHash(name);
  throw new NetError(
    "usage",
    `Cannot use channel "${
      name.slice(0, 80)
    }": must be 1 to 255 of a-z 0-9 - _ . /, without empty ` +
      "parts",
    { next: "write for example lab/sensors" },
  );
}

/**
 * Scope bits of `--allow`.
 *
 * @throws NetError `usage` when there is none, or a word is unknown.
 */
export async function scopeFlag(text: string | undefined): Promise<number> {
  const { parseScope } = await import("../src/channel/mod.ts");
  const next = "write for example --allow publish,subscribe";
  if (text === undefined) {
    throw new NetError("usage", "Cannot run: --allow is missing, which says what is allowed", {
      next,
    });
  }
  const scope = parseScope(text.split(",").filter((word) => word !== ""));
  if (scope !== undefined && scope > 0 && scope < 16) return scope;
  throw new NetError(
    "usage",
    `Cannot use --allow: value is "${text}", must be words of publish, subscribe, admin, delegate`,
    { next },
  );
}

/**
 * Whole seconds of a token's life.
 *
 * @throws NetError `usage` when the text is no duration, or none that a token may live.
 */
export function lifeFlag(name: string, text: string): number {
  const seconds = parseSeconds(text) ?? 0;
  if (seconds >= 1 && seconds <= LIFE_SECONDS_MAX) return seconds;
  throw new NetError(
    "usage",
    `Cannot use ${name}: value is "${text}", must be 1s to 365d, such as 90s, 30m or 12h`,
    { next: `write for example ${name} 12h` },
  );
}

/**
 * Whole seconds of a clock difference; 0 when left out.
 *
 * @throws NetError `usage` when it is no duration, or more than is forgiven.
 */
export function skewFlag(text: string | undefined): number {
  if (text === undefined) return 0;
  const seconds = parseSeconds(text) ?? Infinity;
  if (seconds <= SKEW_SECONDS_MAX) return seconds;
  throw new NetError("usage", `Cannot use --skew: value is "${text}", must be 0s to 5m`, {
    next: "write for example --skew 60s",
  });
}

/** `parseDuration` reaches a month; here days reach further. */
function parseSeconds(text: string): number | undefined {
  const days = /^([0-9]{1,4})d$/.exec(text)?.[1];
  const durationMs = days === undefined ? parseDuration(text) : Number(days) * 86_400_000;
  return durationMs === undefined ? undefined : Math.floor(durationMs / 1000);
}

/**
 * Path of the revocations file.
 *
 * @throws NetError `not_found` when none is named and no folder is known.
 */
export function revocationPath(context: NetContext, given: string | undefined): string {
  const { env, cwd } = context.io;
  const named = given ?? env.NET_REVOCATIONS;
  const path = named === undefined ? defaultRevocationFile(env) : absolutePath(named, cwd);
  if (path !== undefined) return path;
  throw new NetError(
    "not_found",
    "Cannot find revocations: neither HOME nor XDG_DATA_HOME is set",
    { next: "name a file with --revocations" },
  );
}

/** How to say that an argument is no token; digits are not shown, they may be a secret's. */
function describeNoToken(given: string): { readonly action: string; readonly next?: string } {
  if (given === "-") return { action: "Cannot read token from standard input" };
  if (given.startsWith("@")) return { action: `Cannot read token from "${given.slice(1)}"` };
  if (given === "" || fromHex(given) !== undefined) return { action: "Cannot read token" };
  const word = given.slice(0, TOKEN_WORD_SHOWN);
  return {
    action: `Cannot read token "${word}"`,
    next: `for a file write @${word}; else give the token as net token issue printed it`,
  };
}

/** Bytes behind the argument; `undefined` when it is a word that is no hex. */
async function readContent(context: NetContext, given: string): Promise<Uint8Array | undefined> {
  if (given !== "-" && !given.startsWith("@")) return fromHex(given);
  return await readInput(context, given === "-" ? given : given.slice(1), {
    what: "token",
    bytesMax: TOKEN_TEXT_BYTES_MAX,
    next: "write the token into a file with net token issue … > FILE",
  });
}
