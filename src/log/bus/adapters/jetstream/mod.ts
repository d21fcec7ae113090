/** NATS JetStream as the engine behind the bus. */
export { createJetStreamAdapter, type JetStreamAdapterDeps } from "./adapter.ts";
export type { JetStreamAdapterOptions } from "./options.ts";
