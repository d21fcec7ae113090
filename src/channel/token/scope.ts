/** What a token allows: scope bits and their names (`identity-and-channels.md` 3). */

/** Scope bits by name. */
export const TOKEN_SCOPES = {
  publish: 1,
  subscribe: 2,
  admin: 4,
  delegate: 8,
  wildcard: 16,
} as const;

/** Name of a scope bit. */
export type TokenScopeName = keyof typeof TOKEN_SCOPES;

/** Something that can be asked for on a channel; `wildcard` says where, not what. */
export type TokenAction = Exclude<TokenScopeName, "wildcard">;

/** Every action. Wildcard has to be asked for by name. */
export const TOKEN_SCOPE_ALL = 15;

/** All names, in the order of their bits. */
export const TOKEN_SCOPE_NAMES = Object.keys(TOKEN_SCOPES) as readonly TokenScopeName[];

/** True when `scope` has every bit of `asked`; the empty scope is in none. */
export function hasScope(scope: number, asked: number): boolean {
  return asked !== 0 && (scope & asked) === asked;
}

/**
 * Names of the bits in `scope`, in the order of the bits; bits without a name are left out.
 *
 * @example
 * ```ts
 * import { scopeNames } from "./scope.ts";
 * console.assert(scopeNames(10).join() === "subscribe,delegate");
 * ```
 */
export function scopeNames(scope: number): readonly TokenScopeName[] {
  return TOKEN_SCOPE_NAMES.filter((name) => hasScope(scope, TOKEN_SCOPES[name]));
}

/** The bits of names; `undefined` when one of them is none. */
export function parseScope(names: Iterable<string>): number | undefined {
  let scope = 0;
  for (const name of names) {
    if (!isScopeName(name)) return undefined;
    scope |= TOKEN_SCOPES[name];
  }
  return scope;
}

/** True for the name of a scope bit. */
export function isScopeName(name: string): name is TokenScopeName {
  return Object.hasOwn(TOKEN_SCOPES, name);
}
