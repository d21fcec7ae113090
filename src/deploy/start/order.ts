/**
 * In which order members are started: whoever is named in `after` or `wants` comes first
 * (`[genomeBin.service]`, promise V-a).
 *
 * Pure. Names outside the set are not waited for: they may run already, or not be needed here.
 */
import { NetError } from "../../base/mod.ts";

/** One member with what should be there before it. */
export interface OrderedMember {
  readonly name: string;
  readonly after: readonly string[];
}

/**
 * The members with those they need in front of them; otherwise as they were.
 *
 * @throws NetError `usage` naming the members that wait for each other.
 */
export function startOrder<T extends OrderedMember>(members: readonly T[]): readonly T[] {
  const byName = new Map(members.map((member) => [member.name, member]));
  const ordered: T[] = [];
  const states = new Map<string, "open" | "done">();
  const trail: string[] = [];
  const visit = (member: T): void => {
    if (states.get(member.name) === "done") return;
    if (states.get(member.name) === "open") throw cycle(trail, member.name);
    states.set(member.name, "open");
    trail.push(member.name);
    for (const name of member.after) {
      const before = byName.get(name);
      // A member that names itself says nothing.
      if (before !== undefined && name !== member.name) visit(before);
    }
    trail.pop();
    states.set(member.name, "done");
    ordered.push(member);
  };
  for (const member of members) visit(member);
  return ordered;
}

function cycle(trail: readonly string[], name: string): NetError {
  const ring = [...trail.slice(trail.indexOf(name)), name].join(" → ");
  return new NetError("usage", `Cannot order members: each waits for the next: ${ring}`, {
    next: "take one of them out of after or wants in its metadata.toml",
  });
}
