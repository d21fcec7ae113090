/** Errors of calls as bindings of the Rust core write them (`nrpc.md` 12). */
import assert from "node:assert/strict";
import { RpcError, type RpcErrorDetails, type RpcErrorKind } from "../../src/rpc/mod.ts";

const ROWS: readonly [RpcErrorKind, RpcErrorDetails, string][] = [
  ["no_route", {}, "nrpc:no_route: why"],
  ["timeout", { elapsedMs: 250 }, "nrpc:timeout: elapsed_ms=250"],
  ["timeout", {}, "nrpc:timeout: elapsed_ms=0"],
  ["server_error", { status: 6 }, "nrpc:server_error: status=0x0006 message=why"],
  ["server_error", { status: 0x8001 }, "nrpc:server_error: status=0x8001 message=why"],
  ["transport", {}, "nrpc:transport: why"],
  ["codec_encode", {}, "nrpc:codec_encode: why"],
  ["codec_decode", {}, "nrpc:codec_decode: why"],
  ["capability_denied", { status: 8 }, "nrpc:capability_denied: why"],
  ["cancelled", { status: 5 }, "nrpc:cancelled: why"],
  ["breaker_open", {}, "nrpc:breaker_open: why"],
  ["serve_failed", {}, "nrpc:serve_failed: why"],
  // Kinds that bindings have no text for.
  ["backpressure", { status: 4 }, "nrpc:server_error: status=0x0004 message=why"],
  ["backpressure", {}, "nrpc:transport: why"],
  ["too_large", {}, "nrpc:codec_encode: why"],
];

for (const [kind, details, text] of ROWS) {
  Deno.test(`RpcError.bindingText of ${kind} ${JSON.stringify(details)}`, () => {
    assert.equal(new RpcError(kind, "why", details).bindingText, text);
  });
}
