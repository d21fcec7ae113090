/**
 * The pure parts of sealed sessions (`sealed.md`): negotiation, key schedule, epochs, identity proof,
 * reset tags, retry tokens. Sockets, tables of peers and policy are the transport's.
 */
export * from "./datagrams.ts";
export * from "./epoch_keys.ts";
export * from "./key_schedule.ts";
export * from "./negotiation.ts";
export * from "./proof.ts";
export * from "./proof_exchange.ts";
export * from "./reset_tag.ts";
export * from "./retry.ts";
