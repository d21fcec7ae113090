/** Links between client or server and the transport: what frames wait in, leave by and are joined from. */
export * from "./frame_intake.ts";
export * from "./frame_port.ts";
export * from "./join_budget.ts";
export { LargeAllowance } from "./large_frames.ts";
export * from "./link.ts";
export * from "./link_counters.ts";
export * from "./out_link.ts";
