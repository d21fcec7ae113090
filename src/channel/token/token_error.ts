/**
 * Why a token is refused or cannot be made: the closed set of `identity-and-channels.md` 3.
 *
 * Verifiers return a kind; what makes tokens throws it as an error that reads `token: KIND`, as the
 * other members of the mesh write it.
 */
import { type ErrorCode, NetError } from "../../base/mod.ts";

interface TokenErrorFace {
  readonly code: ErrorCode;
  readonly next: string;
}

const FACES = {
  invalid_signature: { code: "not_allowed", next: "ask the issuer for the token again" },
  not_yet_valid: { code: "not_allowed", next: "wait, or compare this machine's clock" },
  expired: { code: "not_allowed", next: "ask the issuer for a new token" },
  delegation_exhausted: {
    code: "not_allowed",
    next: "ask for a token with a greater delegation depth",
  },
  delegation_not_allowed: {
    code: "not_allowed",
    next: "ask for a token whose scope has delegate and whose time is long enough",
  },
  not_authorized: {
    code: "not_allowed",
    next: "compare issuer, subject, scope and channel with net token show",
  },
  revoked: { code: "not_allowed", next: "ask the issuer for a token of its current generation" },
  invalid_format: { code: "usage", next: "give a token as net token issue printed it" },
  read_only: { code: "not_allowed", next: "issue where the identity's secret key is kept" },
  zero_ttl: { code: "usage", next: "give the token at least one second" },
  ttl_too_long: { code: "usage", next: "give the token at most one year, 31536000 seconds" },
} as const satisfies Record<string, TokenErrorFace>;

/** Why a token is refused or cannot be made. */
export type TokenErrorKind = keyof typeof FACES;

/** All kinds. */
export const TOKEN_ERROR_KINDS = Object.keys(FACES) as readonly TokenErrorKind[];

/**
 * The error of a kind, with the text `token: KIND` and the kind in its data.
 *
 * @param more What was being done, put in front, and what to do next where the kind alone can't say.
 *
 * @example
 * ```ts
 * import { tokenError } from "./token_error.ts";
 * console.assert(tokenError("expired").message === "token: expired");
 * ```
 */
export function tokenError(
  kind: TokenErrorKind,
  more: { readonly action?: string; readonly next?: string } = {},
): NetError {
  const { code, next } = FACES[kind];
  const message = more.action === undefined ? `token: ${kind}` : `${more.action}: token: ${kind}`;
  return new NetError(code, message, { next: more.next ?? next, data: { kind } });
}

/** The kind of an error that {@linkcode tokenError} made; `undefined` for any other. */
export function tokenErrorKind(error: unknown): TokenErrorKind | undefined {
  if (!(error instanceof NetError)) return undefined;
  return TOKEN_ERROR_KINDS.find((kind) =>
    kind === error.data?.kind && error.message.endsWith(`token: ${kind}`)
  );
}
