/** A node with its control surface; apart from the client, because it loads the whole program. */
export { describeFolder } from "./log_view.ts";
export * from "./node_control.ts";
