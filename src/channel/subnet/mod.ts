/** Subnets: who is where, who sees which channel, and what a gateway lets pass (`identity-and-channels.md` 14). */
export * from "./assignments.ts";
export * from "./export_table.ts";
export * from "./forward_decision.ts";
export * from "./gateway.ts";
export * from "./policy.ts";
export * from "./visibility.ts";
