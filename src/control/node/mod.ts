/** A node with its control surface; apart from the client, because it loads the whole program. */
export * from "./node_control.ts";
