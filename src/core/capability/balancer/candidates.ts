/**
 * Who may be picked at all (`compute.md` 10): not gone, switched off or ill, circuit not open, room for a
 * call, all tags, and in the caller's zone if anybody is.
 */
import type { Endpoint } from "./endpoint.ts";

/** Why nobody may be picked: the first rule that left none over. */
export type SelectionFault =
  | "no_endpoints"
  | "all_unhealthy"
  | "circuit_open"
  | "connections_full"
  | "no_matching_tags"
  | "no_matching_zone";

/** Endpoints that could take any call, and how long that holds if nothing happens. */
export interface OpenEndpoints {
  readonly endpoints: readonly Endpoint[];
  /** Set when there are none. */
  readonly fault: SelectionFault | undefined;
  /** When the next circuit lets a probe through. */
  readonly until: number;
}

/** Endpoints of a snapshot that could take any call now. */
export function openEndpoints(snapshot: readonly Endpoint[], now: number): OpenEndpoints {
  const endpoints: Endpoint[] = [];
  let until = Infinity;
  let fault: SelectionFault = "no_endpoints";
  for (const endpoint of snapshot) {
    if (!isWell(endpoint)) fault = worse(fault, "all_unhealthy");
    else if (endpoint.circuit.state(now) === "open") {
      until = Math.min(until, endpoint.circuit.opensUntil ?? Infinity);
      fault = worse(fault, "circuit_open");
    } else if (endpoint.isFull) fault = worse(fault, "connections_full");
    else endpoints.push(endpoint);
  }
  return { endpoints, fault: endpoints.length === 0 ? fault : undefined, until };
}

/** Those with all of the tags. */
export function withTags(endpoints: readonly Endpoint[], tags: readonly string[]): Endpoint[] {
  return endpoints.filter((endpoint) => tags.every((tag) => endpoint.tags.has(tag)));
}

/** Those in the zone. */
export function inZone(endpoints: readonly Endpoint[], zone: string): Endpoint[] {
  return endpoints.filter((endpoint) => endpoint.zone === zone);
}

function isWell({ isRemoved, isEnabled, health }: Endpoint): boolean {
  return !isRemoved && isEnabled && health !== "unhealthy";
}

const RULES: readonly SelectionFault[] = [
  "no_endpoints",
  "all_unhealthy",
  "circuit_open",
  "connections_full",
];

/** The rule that came later: whoever got furthest says what is missing. */
function worse(left: SelectionFault, right: SelectionFault): SelectionFault {
  return RULES.indexOf(right) > RULES.indexOf(left) ? right : left;
}
