/** Redis streams as the engine behind the bus. */
export { RedisStreamDedup } from "../engine/mod.ts";
export { createRedisAdapter, type RedisAdapterDeps } from "./adapter.ts";
export type { RedisAdapterOptions } from "./options.ts";
