/** CortEX: folds over a log. */
export * from "./cortex_error.ts";
export * from "./cortex_metrics.ts";
export * from "./cortex_snapshot.ts";
export {
  type DecodedEvent,
  decodeEvent,
  DISPATCH_RAW,
  DISPATCH_USER_MIN,
  encodeEvent,
  EVENT_META_BYTES,
  type EventDecodeResult,
  type EventMeta,
  FLAG_CAUSAL,
  FLAG_CONTINUITY_PROOF,
} from "./event_meta.ts";
export type { FoldErrorPolicy } from "./fold.ts";
export * from "./fold_error.ts";
export { SET_ASIDE_KEPT_MAX, TOKEN_WAITERS_MAX } from "./limits.ts";
export * from "./open_cortex.ts";
export * from "./same_value.ts";
export * from "./types.ts";
export * from "./wait_budget.ts";
