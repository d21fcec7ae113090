/** The HTTP surface of a node. */
export * from "./gateway_service.ts";
export * from "./problem.ts";
export * from "./route.ts";
