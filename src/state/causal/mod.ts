/** Causal state: chains of linked events, what their writers had seen, and snapshots (`storage.md` 7). */
export * from "./causal_chain.ts";
export {
  type CausalEvent,
  type CausalLink,
  type ChainFault,
  checkLink,
  decodeCausalLink,
  describeChainFault,
  encodeCausalLink,
  eventHash,
  genesisEvent,
  isSameEvent,
  isSameLink,
} from "./causal_link.ts";
export * from "./causal_receiver.ts";
export * from "./causal_writer.ts";
export * from "./entity_log.ts";
export * from "./error.ts";
export * from "./event_frames.ts";
export * from "./horizon.ts";
export { CAUSAL_LINK_BYTES } from "./limits.ts";
export type {
  CausalItem,
  CausalReceived,
  CausalReceiverOptions,
  CausalReceiverStat,
  Causes,
  ChainAnchor,
  ChainStart,
  ReceiverDrop,
} from "./receiver_types.ts";
export * from "./snapshot_store.ts";
export * from "./state_snapshot.ts";
