/**
 * Cryptography of the core: keys, hashes, the Noise handshake, session keys, packet sealing, replay
 * window, sealed sessions, key store and tickets.
 */
export * from "./aead.ts";
export * from "./blake3.ts";
export * from "./channel_hash.ts";
export * from "./child_seed.ts";
export * from "./galois.ts";
export * from "./gear.ts";
export * from "./hashes.ts";
export * from "./identity.ts";
export * from "./identity_envelope.ts";
export * from "./identity_file.ts";
export * from "./identity_moves.ts";
export * from "./identity_state.ts";
export * from "./key_store.ts";
export * from "./noise.ts";
export * from "./native_aead.ts";
export * from "./owner_file.ts";
export * from "./packet_cipher.ts";
export * from "./record_batch.ts";
export * from "./replay_window.ts";
export * from "./sealed/mod.ts";
export * from "./session_keys.ts";
export * from "./sha256.ts";
export * from "./ticket.ts";
export * from "./x25519.ts";
export * from "./xxh3.ts";
export * from "./xxh3_128.ts";
export * from "./xxh3_fast.ts";
