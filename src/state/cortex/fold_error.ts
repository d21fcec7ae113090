/** Bytes of a log or of a snapshot that a model cannot read. */
import { NetError } from "../../base/mod.ts";

/**
 * Thrown by a model for an event's tail, or for a state, that it cannot read. A fold sets such an event
 * aside, reports it, and goes on (`storage.md` 9).
 */
export class FoldDecodeError extends NetError {
  /** @param reason What is wrong with the bytes, without their content. */
  constructor(reason: string, cause?: unknown) {
    super("integrity", reason, { cause });
  }
}
