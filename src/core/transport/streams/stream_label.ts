/** What the headers of a stream's packets say beside what the transport itself needs (`wire.md` 3). */
import { highHalf, lowHalf } from "../../../base/mod.ts";
import type { PacketLabel } from "../types.ts";

/** A label as it is written: numbers only. */
export interface StreamLabel {
  readonly channelHash: number;
  readonly priority: number;
  readonly originLow: number;
  readonly originHigh: number;
}

/** What nearly all packets say: nothing. */
export const NO_LABEL: StreamLabel = { channelHash: 0, priority: 0, originLow: 0, originHigh: 0 };

/**
 * A label in the form it is written in.
 *
 * @throws RangeError when a field is out of its range.
 */
export function toStreamLabel({ channelHash, priority, originHash }: PacketLabel): StreamLabel {
  if (!isUnsigned(channelHash, 0xffff) || !isUnsigned(priority, 0xff)) {
    throw new RangeError(
      `Cannot label stream: channel hash is ${channelHash} and priority ${priority}, must be ` +
        "0..65535 and 0..255",
    );
  }
  return {
    channelHash,
    priority,
    originLow: lowHalf(originHash),
    originHigh: highHalf(originHash),
  };
}

function isUnsigned(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}
