/** What is measured of calls, and whoever observes them (`nrpc.md` 15). */
export * from "./limits.ts";
export * from "./observer_event.ts";
export * from "./prometheus.ts";
export * from "./rpc_metrics.ts";
export * from "./service_meter.ts";
export * from "./snapshot.ts";
