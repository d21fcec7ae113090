/** What workers need of this folder, and no more: so they start within 50 ms. */
export * from "../blake3.ts";
export * from "../galois.ts";
