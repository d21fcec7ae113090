/**
 * Methods of the control surface and the table that holds them (`decisions.md` 1, `validation.md` 1.2).
 *
 * A method is declared once with its parameters' schema and its access; the server, the capability
 * list and the tests read the same declaration. What a method does is not decided here.
 */
import * as v from "../schema/mod.ts";
import { NetError } from "../base/mod.ts";

/** Who may call: everybody who can connect, or only the node's own user over its unix socket. */
export type MethodAccess = "public" | "privileged";

/** What a handler knows of the call it serves. */
export interface CallContext {
  /** The way the request came. */
  readonly transport: "unix" | "tcp";
  /** Aborted when the caller cancels, vanishes, or the server stops waiting. */
  readonly signal: AbortSignal;
  /** Sends progress to a caller that asked for it; may be dropped, never waits. */
  progress(data: object): void;
  /**
   * Sends what must not be dropped the same way, waiting for a caller that reads slowly.
   *
   * @throws NetError `usage` when the caller did not ask for it; the abort's reason when it has left.
   */
  send(data: object): Promise<void>;
}

/** Schema of a method's parameters: an object known by name. */
export type ParamsSchema = v.GenericSchema<object, unknown>;

/** Declaration of a method. */
export interface DefineMethodOptions<S extends ParamsSchema> {
  /** Dotted lower-case name, `domain.operation`. */
  readonly name: string;
  readonly access: MethodAccess;
  /** One line for people. */
  readonly summary: string;
  /** True when a call changes nothing, so that a validator may try it. */
  readonly isReadOnly: boolean;
  /** True when it still answers after a drain began; public methods do unless told otherwise. */
  readonly answersWhileDraining?: boolean;
  /** True when it goes on with what was begun before: taken while draining, and waited for. */
  readonly isContinuation?: boolean;
  /** True for calls that go on until they are ended, such as those that watch: a drain does not wait for them. */
  readonly isOpenEnded?: boolean | ((params: v.InferInput<S>) => boolean);
  /** A boolean member `progress` never arrives here: it is the caller's wish for progress. */
  readonly params: S;
  /** Answers with plain JSON; a value that is no promise is sent without a turn of the loop. */
  readonly handle: (params: v.InferOutput<S>, context: CallContext) => unknown;
}

/** A method as the table keeps it. */
export interface Method {
  readonly name: string;
  readonly access: MethodAccess;
  readonly summary: string;
  readonly isReadOnly: boolean;
  readonly answersWhileDraining: boolean;
  readonly isContinuation: boolean;
  /** True when a call with such parameters, which a handler has taken, goes on until it is ended. */
  isOpenEnded(params: Readonly<Record<string, unknown>>): boolean;
  /**
   * Checks the parameters and runs the handler.
   *
   * @throws NetError `usage` when the parameters are wrong; whatever the handler throws.
   */
  call(params: Readonly<Record<string, unknown>>, context: CallContext): unknown;
}

/**
 * Declares a method.
 *
 * @throws TypeError when the name is not dotted lower case or is reserved.
 *
 * @example
 * ```ts
 * import * as v from "valibot";
 * import { defineMethod } from "./method.ts";
 * const echo = defineMethod({
 *   name: "example.echo",
 *   access: "public",
 *   summary: "Answers with its text",
 *   isReadOnly: true,
 *   params: v.object({ text: v.string() }),
 *   handle: ({ text }) => ({ text }),
 * });
 * console.assert(echo.name === "example.echo");
 * ```
 */
export function defineMethod<S extends ParamsSchema>(options: DefineMethodOptions<S>): Method {
  const { name, access, summary, isReadOnly, params: schema, handle } = options;
  checkName(name);
  return {
    name,
    access,
    summary,
    isReadOnly,
    answersWhileDraining: options.answersWhileDraining ??
      (access === "public" || options.isContinuation === true),
    isContinuation: options.isContinuation ?? false,
    isOpenEnded(params) {
      const { isOpenEnded = false } = options;
      return typeof isOpenEnded === "function"
        ? isOpenEnded(params as v.InferInput<S>)
        : isOpenEnded;
    },
    call(params, context) {
      const parsed = v.safeParse(schema, params);
      if (!parsed.success) {
        throw new NetError(
          "usage",
          `Invalid params for "${name}": ${describeIssues(parsed.issues)}`,
          { next: "correct them; --help of the verb, or capabilities.list, says what there is" },
        );
      }
      return handle(parsed.output, context);
    },
  };
}

/** All methods of a server by name. */
export class MethodTable {
  readonly #methods = new Map<string, Method>();
  readonly #aliases = new Map<string, Method>();

  /**
   * Adds methods.
   *
   * @throws TypeError when a name is taken.
   */
  register(...methods: readonly Method[]): void {
    for (const method of methods) {
      this.#refuseTaken(method.name);
      this.#methods.set(method.name, method);
    }
  }

  /**
   * Lets `alias` mean the method `name`; an alias is callable but not listed.
   *
   * @throws TypeError when the alias is taken or the method is not there.
   */
  alias(alias: string, name: string): void {
    checkName(alias);
    this.#refuseTaken(alias);
    const method = this.#methods.get(name);
    if (method === undefined) {
      throw new TypeError(`Cannot alias "${alias}": method "${name}" is not registered`);
    }
    this.#aliases.set(alias, method);
  }

  /** The method of a name or alias. */
  lookup(name: string): Method | undefined {
    return this.#methods.get(name) ?? this.#aliases.get(name);
  }

  /** All methods, sorted by name, without aliases. */
  list(): readonly Method[] {
    return [...this.#methods.values()].sort((a, b) => a.name < b.name ? -1 : 1);
  }

  #refuseTaken(name: string): void {
    if (this.lookup(name) !== undefined) {
      throw new TypeError(`Cannot register method "${name}": the name is taken`);
    }
  }
}

function checkName(name: string): void {
  if (!/^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$/.test(name)) {
    throw new TypeError(`Cannot define method "${name}": name must be dotted lower case`);
  }
  if (name.startsWith("rpc.")) {
    throw new TypeError(`Cannot define method "${name}": names starting with "rpc." are reserved`);
  }
}

/** At most three issues; values are left out, because they may be secret. */
function describeIssues(issues: readonly v.BaseIssue<unknown>[]): string {
  return issues.slice(0, 3).map((issue) => {
    const path = v.getDotPath(issue);
    const expected = expectation(issue);
    return path === null
      ? `value must be ${expected}`
      : `"${path}" is ${received(issue)}, must be ${expected}`;
  }).join("; ");
}

/** What would be right, in words; without the quotes and brackets of a type. */
function expectation({ type, kind, expected }: v.BaseIssue<unknown>): string {
  if (type === "regex" || expected === null) return "of the right form";
  const words = expected.replaceAll(/[()"]/g, "").replaceAll(" | ", ", ");
  if (type === "picklist") return `one of ${words}`;
  if (kind !== "validation") return words;
  const bound = words.replace(">=", "at least ").replace("<=", "at most ");
  return type.endsWith("_length") ? `${bound} long` : bound;
}

function received(issue: v.BaseIssue<unknown>): string {
  const { input } = issue;
  if (issue.type.endsWith("_length")) return `${issue.received} long`;
  if (input === undefined) return "missing";
  if (input === null) return "null";
  return Array.isArray(input) ? "an array" : `of type ${typeof input}`;
}
