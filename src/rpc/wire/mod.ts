/** Layouts of nRPC frames (`nrpc.md` 2 to 4). */
export * from "./bodies.ts";
export * from "./channel_names.ts";
export * from "./dispatch.ts";
export * from "./fragment.ts";
export * from "./frame.ts";
export * from "./headers.ts";
export * from "./limits.ts";
export { CONTINUE_HEADERS, END_HEADERS } from "./stream_headers.ts";
