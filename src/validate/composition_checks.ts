/**
 * What can be said of members together: who needs what, what is declared and not there, and the state
 * of each (`validation.md` 6, promise V-m).
 *
 * Pure: reports in, findings out. A capability is a method, or a domain that stands for its methods.
 */
import { isAnswering } from "./health_probe.ts";
import type { IpcReport } from "./report.ts";

/** State of one member in its composition. */
export type SubsystemState = "ok" | "degraded" | "unavailable";

/** A capability that somebody needs and nobody has. */
export interface UnsatisfiedNeed {
  readonly member: string;
  readonly capability: string;
}

/** What {@linkcode findUnsatisfied} knows of a member. */
export interface MemberCapabilities {
  readonly name: string;
  readonly advertised: readonly string[];
  readonly consumed: readonly string[];
}

/** Differences between what a member declares and what it advertises. */
export interface DeclaredDifference {
  /** Declared, and not there: fails. */
  readonly notAdvertised: readonly string[];
  /** There, and not declared: a warning. */
  readonly notDeclared: readonly string[];
}

/** What every member has by its contract and need not declare. */
const CONTRACT = /^(health\..+|identity\.get|capabilit(y|ies)\.list|composition\..+_health)$/;

/** Names of one or many members, with their domains; made once, asked often. */
export class CapabilitySet {
  readonly names = new Set<string>();
  readonly #domains = new Set<string>();

  constructor(names: Iterable<string>) {
    for (const name of names) {
      this.names.add(name);
      // `a.b.c` belongs to `a` and to `a.b`.
      for (let dot = name.indexOf("."); dot > 0; dot = name.indexOf(".", dot + 1)) {
        this.#domains.add(name.slice(0, dot));
      }
    }
  }

  /** True when the capability is there, or any of its domain when it is a bare one. */
  has(capability: string): boolean {
    return this.names.has(capability) ||
      (!capability.includes(".") && this.#domains.has(capability));
  }
}

/** Who needs what that no member has. */
export function findUnsatisfied(
  members: readonly MemberCapabilities[],
  union: CapabilitySet,
): readonly UnsatisfiedNeed[] {
  return members.flatMap(({ name, consumed }) =>
    consumed.filter((capability) => !union.has(capability))
      .map((capability) => ({ member: name, capability }))
  );
}

/** Compares both ways; a declared domain covers all its methods. */
export function compareDeclared(
  declared: readonly string[],
  advertised: readonly string[],
): DeclaredDifference {
  if (declared.length === 0) return { notAdvertised: [], notDeclared: [] };
  const there = new CapabilitySet(advertised);
  const said = new Set(declared);
  const isCovered = (name: string) => said.has(name) || said.has(name.split(".", 1)[0] ?? "");
  return {
    notAdvertised: declared.filter((name) => !there.has(name)),
    notDeclared: advertised.filter((name) => !CONTRACT.test(name) && !isCovered(name)),
  };
}

/** What {@linkcode stateOf} decides by. */
export interface MemberFacts {
  /** `undefined` when there was nobody to ask. */
  readonly ipc: IpcReport | undefined;
  readonly isRequired: boolean;
  /** True when something declared is not there. */
  readonly lacksDeclared: boolean;
}

/** State of a member. */
export function stateOf({ ipc, isRequired, lacksDeclared }: MemberFacts): SubsystemState {
  if (!isRequired && (ipc === undefined || !isAnswering(ipc.results))) return "degraded";
  if (ipc === undefined || !ipc.compliant || lacksDeclared) return "unavailable";
  return ipc.healthy ? "ok" : "degraded";
}
