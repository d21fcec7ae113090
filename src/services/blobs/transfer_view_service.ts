/**
 * The service that tells what this node moves, here and to peers, and asks peers the same (`dataforts.md` 13).
 *
 * A peer is told the hashes of chunks that are fetched, and may end a fetch, as in the Rust core: whoever has the
 * mesh's secret is trusted with that, unless the policy `fetch.remote` says less.
 */
import { idToHex, NetError } from "../../base/mod.ts";
import {
  type BlobTransfer,
  decodeTransfersRequest,
  decodeTransfersResponse,
  encodeTransfersRequest,
  encodeTransfersResponse,
  type StreamStatus,
  TRANSFERS_DEADLINE_MS,
  TRANSFERS_SERVICE,
  type TransfersRequest,
  type TransfersResponse,
  type WireTransfer,
} from "../../blob/mod.ts";
import type { Service, ServiceHealth } from "../../kernel/mod.ts";
import { type Rpc, RpcStatusError, type ServeHandle, Status } from "../../rpc/mod.ts";
import type { PolicyService } from "./policy_service.ts";

/** What {@linkcode TransferViewService} needs. */
export interface TransferViewDeps {
  readonly rpc: Pick<Rpc, "serve" | "call">;
  readonly blobs: { readonly transfer: BlobTransfer | undefined };
  readonly policy: Pick<PolicyService, "current">;
}

/** Transfers of this node and of peers. */
export class TransferViewService implements Service {
  readonly name = "transfer_view";
  readonly #deps: TransferViewDeps;
  #served: ServeHandle | undefined;

  constructor(deps: TransferViewDeps) {
    this.#deps = deps;
  }

  start(): Promise<void> {
    this.#served = this.#deps.rpc.serve(TRANSFERS_SERVICE, (body) => this.#answer(body));
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    await this.#served?.close({ isPatient: false });
    this.#served = undefined;
  }

  health(): ServiceHealth {
    return { state: "healthy" };
  }

  /**
   * Asks a peer.
   *
   * @throws RpcError as a call does; NetError `integrity` for an answer that is none, `not_ready` when it moves no
   * blobs, `not_allowed` when it does not tell.
   */
  async ask(
    node: bigint,
    request: TransfersRequest,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Exclude<TransfersResponse, { readonly kind: "error" }>> {
    const body = await this.#deps.rpc.call(TRANSFERS_SERVICE, encodeTransfersRequest(request), {
      target: node,
      timeoutMs: TRANSFERS_DEADLINE_MS,
      isIdempotent: true,
      signal: options.signal,
    });
    const response = decodeTransfersResponse(body);
    const isExpected = response !== undefined &&
      (response.kind === "error" || response.kind === ANSWERS[request.kind]);
    if (!isExpected) {
      throw new NetError("integrity", `Cannot read transfers of node ${idToHex(node)}: malformed`, {
        next: "it may run another version; see net node peers",
      });
    }
    if (response.kind !== "error") return response;
    const reason = response.error === "decode_failed"
      ? `it could not read the question (${printable(response.text)})`
      : "it moves no blobs";
    throw new NetError("not_ready", `Cannot see transfers of node ${idToHex(node)}: ${reason}`, {
      next: "see net node peers for its version",
    });
  }

  #answer(body: Uint8Array): Uint8Array {
    return encodeTransfersResponse(this.#respond(decodeTransfersRequest(body)));
  }

  #respond(request: TransfersRequest | undefined): TransfersResponse {
    if (request === undefined) {
      return { kind: "error", error: "decode_failed", text: "not a request" };
    }
    const registry = this.#deps.blobs.transfer?.registry;
    if (registry === undefined) return { kind: "error", error: "engine_not_installed" };
    const { remote } = this.#deps.policy.current.fetch;
    if (remote === "off" || (remote === "list" && request.kind === "cancel")) {
      throw new RpcStatusError(Status.unauthorized, "not allowed by the policy fetch.remote");
    }
    switch (request.kind) {
      case "list": {
        const fetches = registry.streams().filter(({ direction }) => direction === "fetch");
        return { kind: "transfers", transfers: fetches.map(toWire) };
      }
      case "get": {
        const stream = registry.fetchStream(request.streamId);
        return { kind: "transfer", transfer: stream && toWire(stream) };
      }
      case "cancel":
        return { kind: "cancelled", existed: registry.cancel(request.streamId) };
    }
  }
}

const ANSWERS = { list: "transfers", get: "transfer", cancel: "cancelled" } as const;

function toWire(stream: StreamStatus): WireTransfer {
  return {
    streamId: stream.streamId,
    holder: stream.peer,
    expectedHash: stream.hash,
    bytesReceived: BigInt(stream.movedBytes),
    totalBytes: stream.totalBytes === undefined ? undefined : BigInt(stream.totalBytes),
  };
}

/** Text of a peer, for one line of a terminal. */
function printable(text: string): string {
  return text.slice(0, 200).replace(/[^\x20-\x7e]/g, "?");
}
