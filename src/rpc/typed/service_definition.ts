/**
 * Typed services, declared once for both sides (`nrpc.md` 13). On the wire each method is an nRPC service of its own:
 * `<service>.<method>`, or the plain name of the service when it is declared as a single method.
 */
import type { AnyErrorDefinition } from "./application_error.ts";
import type { Method } from "./method.ts";

/** Methods by name. */
export type MethodTable = Readonly<Record<string, Method>>;

/** What a service consists of: several methods, or a single one. */
export type Methods = Method | MethodTable;

/** Options of {@linkcode defineService}. */
export interface DefineServiceOptions {
  /** Errors that handlers may throw and callers may catch; their codes differ. */
  readonly errors?: readonly AnyErrorDefinition[];
}

/** A service as both sides know it. */
export interface ServiceDefinition<M extends Methods> {
  readonly name: string;
  readonly methods: M;
  /** Declared errors by code. */
  readonly errors: ReadonlyMap<number, AnyErrorDefinition>;
}

const METHOD_NAME = /^[a-z0-9_-]{1,64}$/;

/**
 * Declares a service.
 *
 * @param methods A table of methods, or one method: then the service has no more, and its plain name on the wire.
 * @throws RangeError when a method's name is none, or two errors have one code.
 *
 * @example
 * ```ts
 * import * as v from "valibot";
 * import { defineService, wireName } from "./service_definition.ts";
 * import { serverStream, unary } from "./method.ts";
 * const Query = v.object({ text: v.string() });
 * const Hit = v.object({ title: v.string() });
 * const search = defineService("acme.search", {
 *   search: unary(Query, v.array(Hit)),
 *   watch: serverStream(Query, Hit),
 * });
 * console.assert(wireName(search, "watch") === "acme.search.watch");
 * ```
 */
export function defineService<const M extends Methods>(
  name: string,
  methods: M,
  options: DefineServiceOptions = {},
): ServiceDefinition<M> {
  for (const method of isSingle(methods) ? [] : Object.keys(methods)) {
    if (!METHOD_NAME.test(method)) {
      throw new RangeError(
        `Cannot declare service ${name}: method "${method}" must be 1 to 64 of a-z 0-9 _ -`,
      );
    }
  }
  const errors = new Map<number, AnyErrorDefinition>();
  for (const error of options.errors ?? []) {
    const other = errors.get(error.code);
    if (other !== undefined) {
      throw new RangeError(
        `Cannot declare service ${name}: errors ${other.kind} and ${error.kind} have one code`,
      );
    }
    errors.set(error.code, error);
  }
  return { name, methods, errors };
}

/** Name of the nRPC service that a method is on the wire; without a method, that of a single one. */
export function wireName({ name }: { readonly name: string }, method?: string): string {
  return method === undefined ? name : `${name}.${method}`;
}

/** True for a method, false for a table of them. */
export function isSingle(methods: Methods): methods is Method {
  return typeof methods.shape === "string";
}
