/** Measurements between nodes. */
export { BenchService, type BenchServiceDeps, type MeasureOptions } from "./bench_service.ts";
export type {
  BenchOptions,
  BenchProgress,
  BenchReport,
  RoundTripReport,
  TrafficReport,
} from "./plan.ts";
export type { BenchPolicy } from "./responder.ts";
