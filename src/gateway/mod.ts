/** The HTTP surface of a node. */
export * from "./gateway_service.ts";
