/** One entry of the kit: how a member misbehaves, and every verdict about it. */
import type { Behaviour, Transport } from "./member.ts";

/** What is expected of one method. */
export interface MethodExpected {
  /** `ok` when left out. */
  readonly outcome?: string;
  /** True without an error when left out. */
  readonly passed?: boolean;
  /** The whole text of the error; a number of milliseconds in it is not compared. */
  readonly error?: string;
  readonly code?: number;
  readonly missing?: readonly string[];
  readonly warnings?: readonly string[];
}

/** One for all three methods, or one for each. */
export type MethodsExpected =
  | MethodExpected
  | readonly [MethodExpected, MethodExpected, MethodExpected];

/** The verdict under one rule set. */
export interface VerdictExpected {
  readonly methods: MethodsExpected;
  /** True when the methods pass and nothing else fails, when left out. */
  readonly isCompliant?: boolean;
  /** True when the methods pass, when left out. */
  readonly isHealthy?: boolean;
  /** Strict checks that fail; none when left out. */
  readonly failedChecks?: readonly string[];
  /** Level of capabilities under the strict rules; 2 when left out. */
  readonly level?: number;
}

/** One misbehaving member. */
export interface MemberCase {
  readonly name: string;
  readonly behaviour: Behaviour;
  readonly reference: VerdictExpected;
  readonly standard: VerdictExpected;
  readonly strict: VerdictExpected;
  /** Milliseconds for one reply, where the member uses them up. */
  readonly replyTimeoutMs?: number;
  /** Where it listens; unix and TCP when left out. */
  readonly transports?: readonly Transport[];
}

/** Names of all strict checks. */
export const ALL_CHECKS: readonly string[] = [
  "same_connection",
  "pipelining",
  "one_reply",
  "unknown_method",
  "garbage_line",
  "notification",
  "batch",
];

/** The strict checks without some. */
export function allChecksBut(...names: readonly string[]): readonly string[] {
  return ALL_CHECKS.filter((name) => !names.includes(name));
}

/** A method that fails. */
export function fails(
  outcome: string,
  error: string,
  more: Partial<MethodExpected> = {},
): MethodExpected {
  return { outcome, error, ...more };
}

/** A method that passes with a warning. */
export function warns(warning: string, outcome: string = "ok"): MethodExpected {
  return { outcome, warnings: [warning] };
}

/** A method that passes. */
export const PASSES: MethodExpected = {};

/** What the reference says of every envelope it does not like. */
export const REFERENCE_ENVELOPE_ERROR = "response missing valid result field";

/** How {@linkcode badMember} differs from one that fails alike under all rules. */
export interface BadMemberOptions {
  /** Under the reference rules; the same label with the reference's sentence when left out. */
  readonly reference?: MethodsExpected;
  /** Under the strict rules; as under the standard ones when left out. */
  readonly strict?: MethodsExpected;
  readonly failedChecks?: readonly string[];
  readonly level?: number;
  readonly isHealthy?: boolean;
  /** Under the reference rules, which also pass members that do not say how they are. */
  readonly isReferenceHealthy?: boolean;
  readonly replyTimeoutMs?: number;
  readonly transports?: readonly Transport[];
}

/** A member with one verdict under the standard rules and what the other rules make of it. */
export function badMember(
  name: string,
  behaviour: Behaviour,
  standard: MethodsExpected,
  options: BadMemberOptions = {},
): MemberCase {
  const { isHealthy, failedChecks, level, replyTimeoutMs, transports } = options;
  return {
    name,
    behaviour,
    reference: {
      methods: options.reference ?? referenceOf(standard),
      isHealthy: options.isReferenceHealthy ?? isHealthy,
    },
    standard: { methods: standard, isHealthy },
    strict: { methods: options.strict ?? standard, isHealthy, failedChecks, level },
    replyTimeoutMs,
    transports,
  };
}

function referenceOf(expected: MethodsExpected): MethodsExpected {
  if ("length" in expected) {
    const [first, second, third] = expected;
    return [referenceOfOne(first), referenceOfOne(second), referenceOfOne(third)];
  }
  return referenceOfOne(expected);
}

function referenceOfOne({ outcome, error, code }: MethodExpected): MethodExpected {
  return error === undefined ? PASSES : { outcome, error: REFERENCE_ENVELOPE_ERROR, code };
}
