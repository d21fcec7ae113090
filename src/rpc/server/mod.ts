/** The server's side of nRPC (`nrpc.md` 5 to 11). */
export * from "./deps.ts";
export { HANDLER_TIMEOUT_MS, RUNNING_MAX, RUNNING_TOTAL_MAX, UPLOAD_WINDOW } from "./limits.ts";
export * from "./rpc_server.ts";
