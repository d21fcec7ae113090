/** The time that stands in rows. */
import type { Clock } from "../../base/mod.ts";

const NS_PER_MS = 1_000_000;

/** Unix nanoseconds, as exact as the clock's milliseconds. */
export function nowNs(clock: Clock): bigint {
  const wallMs = clock.wallMs();
  const wholeMs = Math.floor(wallMs);
  return BigInt(wholeMs) * BigInt(NS_PER_MS) + BigInt(Math.floor((wallMs - wholeMs) * NS_PER_MS));
}
