/** What answers about the own address say of the NAT in front of this node (`nrpc.md` 16). */
import { isPublicAddress } from "./_public_address.ts";
import { addressKey } from "../address.ts";
import { REFLEX_ANSWERS_MIN } from "./limits.ts";
import type { NatClass } from "./types.ts";
import type { SocketAddress } from "../types.ts";

/** Class and address, which only go together: neither is known without enough answers. */
export interface Classification {
  readonly natClass: NatClass;
  /** Where others see this node; `undefined` exactly when the class is unknown. */
  readonly reflex: SocketAddress | undefined;
}

/** Nothing is known. */
export const UNKNOWN: Classification = { natClass: "unknown", reflex: undefined };

/**
 * Classifies a NAT.
 *
 * Peers on the own side of the NAT see the address behind it. So where two or more saw a public address,
 * only those count.
 *
 * @param answers Where different peers see this node; no relay may stand between.
 * @param bound Where the socket is bound; a wildcard host stands for every address of the machine.
 * @param ownHosts Those addresses. Most routers leave a port as it is where they can, and with a wildcard
 * would look like none; left out, what peers see counts as an address of the machine.
 *
 * @example
 * ```ts
 * import { classifyReflex } from "./classification.ts";
 * const bound = { host: "0.0.0.0", port: 4000 };
 * const answers = [{ host: "203.0.113.7", port: 9000 }, { host: "203.0.113.7", port: 9000 }];
 * console.assert(classifyReflex(answers, bound).natClass === "cone");
 * ```
 */
export function classifyReflex(
  answers: readonly SocketAddress[],
  bound: SocketAddress,
  ownHosts?: readonly string[],
): Classification {
  const outside = answers.filter(({ host }) => isPublicAddress(host));
  const counted = outside.length >= REFLEX_ANSWERS_MIN ? outside : answers;
  const [first] = counted;
  if (first === undefined || counted.length < REFLEX_ANSWERS_MIN) return UNKNOWN;
  const reflex = mostFrequent(counted);
  const isWildcard = bound.host === "0.0.0.0" || bound.host === "::";
  const isOwn = (host: string) =>
    isWildcard ? ownHosts?.includes(host) ?? true : host === bound.host;
  const isOpen = counted.every(({ host, port }) => port === bound.port && isOwn(host));
  if (isOpen) return { natClass: "open", reflex };
  const isCone = counted.every(({ port }) => port === first.port);
  return { natClass: isCone ? "cone" : "symmetric", reflex };
}

/** The address most peers see, of several the one that came first. */
function mostFrequent(answers: readonly SocketAddress[]): SocketAddress | undefined {
  const counts = new Map<string, number>();
  let best: SocketAddress | undefined;
  let bestCount = 0;
  for (const answer of answers) {
    const key = addressKey(answer);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  for (const answer of answers) {
    const count = counts.get(addressKey(answer)) ?? 0;
    if (count > bestCount) [best, bestCount] = [answer, count];
  }
  return best;
}
