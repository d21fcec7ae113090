/** Channels: who may publish and subscribe what, in which subnet (`identity-and-channels.md` 3 to 14). */
export * from "./auth_guard.ts";
export * from "./token/mod.ts";
export * from "./subnet/mod.ts";
