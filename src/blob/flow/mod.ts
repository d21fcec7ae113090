/** How blobs flow: what moves, copies and gives away chunks by itself (`dataforts.md` 15 to 20). */
export type { ArrivalCounters } from "./arrivals.ts";
export * from "./bandwidth_gate.ts";
export * from "./blob_flow.ts";
export type { GravityCounters } from "./gravity.ts";
export type { PassingEvent } from "./greedy_cache.ts";
export type { HoldCounters } from "./hold_responder.ts";
export * from "./hold_wire.ts";
export * from "./place.ts";
export * from "./ports.ts";
export type { PromiseCounters } from "./promises.ts";
export * from "./queries.ts";
export type { PullCounters } from "./pull_queue.ts";
export type { ShedCounters } from "./shedder.ts";
