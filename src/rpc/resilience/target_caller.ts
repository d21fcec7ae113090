/** Calls of one given node, as everything in this folder makes them; the client's engine is one. */
import type { CallOptions, ClientStreamCall, DuplexCall, RpcResponses } from "../types.ts";

/** Calls in four shapes; `options.target` and all that picks nodes mean nothing here. */
export interface TargetCaller {
  call(
    target: bigint,
    service: string,
    body: Uint8Array,
    options?: CallOptions,
  ): Promise<Uint8Array>;
  callStream(
    target: bigint,
    service: string,
    body: Uint8Array,
    options?: CallOptions,
  ): Promise<RpcResponses>;
  callClientStream(
    target: bigint,
    service: string,
    options?: CallOptions,
  ): Promise<ClientStreamCall>;
  callDuplex(target: bigint, service: string, options?: CallOptions): Promise<DuplexCall>;
}
