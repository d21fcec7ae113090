/** Finding a way through NATs (`nrpc.md` 16). */
export { type Classification, classifyReflex, UNKNOWN as UNKNOWN_NAT } from "./classification.ts";
export { type ConnectOptions, DirectConnector, type DirectConnectorDeps } from "./connector.ts";
export { PunchCoordinator, RejectReason } from "./coordinator.ts";
export { isDirect as isDirectPeer, isUp as isPeerUp } from "./coordinators.ts";
export { createNatCounters, type NatCounters } from "./counters.ts";
export { REFLEX_ANSWERS_MIN, REFLEX_PEERS_MAX, REFLEX_TIMEOUT_MS } from "./limits.ts";
export { decidePair } from "./pair_decision.ts";
export { NatPlane, type NatPlaneDeps } from "./nat_plane.ts";
export { keepAliveOffsetMs, Puncher, punchLeadMs, type PunchTrain } from "./puncher.ts";
export { RendezvousPlane } from "./rendezvous.ts";
export type { PeerKnowledge } from "./search.ts";
export * from "./types.ts";
export { UpgradeSchedule } from "./upgrade_schedule.ts";
