/** Serving a name with a function from bytes to bytes or text. */
import type { Rpc, RpcContext, ServeHandle, ServeOptions } from "../rpc/mod.ts";
import { type Body, toBytes } from "./body.ts";

/** Answers a call; what it throws the caller gets as an error. */
export type BytesHandler = (body: Uint8Array, context: RpcContext) => Body | Promise<Body>;

/** Serves it. */
export function serveBytes(
  rpc: Pick<Rpc, "serve">,
  service: string,
  handler: BytesHandler,
  options?: ServeOptions,
): ServeHandle {
  return rpc.serve(
    service,
    async (body, context) => toBytes(await handler(body, context)),
    options,
  );
}
