/** Which requests of one caller are run (`nrpc.md` 6, 11; promise N1), and what the others are told. */
import { type RequestBody, RpcFlag, Status } from "../wire/mod.ts";
import type { CallerShare } from "./caller_shares.ts";
import { type Failure, failure } from "./failure.ts";
import { DEADLINE_TOLERANCE_MS, DRAIN_RETRY_AFTER_MS } from "./limits.ts";
import { overloadFailure, retryAfterMs } from "./overload.ts";
import type { ServerEngine } from "./rpc_server.ts";
import type { ServedName } from "./served_name.ts";

/** The rules, for one caller of one service. */
export class Admission {
  readonly #engine: ServerEngine;
  readonly #service: ServedName;
  readonly #share: CallerShare;
  #admittedAt: number | undefined;

  constructor(engine: ServerEngine, service: ServedName, share: CallerShare) {
    this.#engine = engine;
    this.#service = service;
    this.#share = share;
  }

  /** Why a request is not run; `running` handlers are at work for its caller. */
  refusal(request: RequestBody, running: number): Failure | undefined {
    const engine = this.#engine;
    const service = this.#service;
    const { deadlineMs, flags } = request;
    if (service.isClosing) return failure(Status.notFound, `no service "${service.name}" here`);
    // Calls of this node itself are part of what is under way.
    if (engine.isDraining && this.#share.peer !== engine.nodeId) {
      engine.counters.refusedDraining += 1;
      return overloadFailure("this node drains, ask another one", DRAIN_RETRY_AFTER_MS);
    }
    if (deadlineMs !== 0 && deadlineMs + DEADLINE_TOLERANCE_MS < engine.clock.wallMs()) {
      return failure(Status.timeout, "deadline already passed when request landed");
    }
    if (service.isUpload && (flags & RpcFlag.clientStreaming) === 0) {
      return failure(Status.internal, `"${service.name}" takes a stream of items`);
    }
    const goesOn = (flags & (RpcFlag.clientStreaming | RpcFlag.requestEnd)) ===
      RpcFlag.clientStreaming;
    if (!service.isUpload && goesOn) {
      // Its items would be lost without a word.
      return failure(Status.internal, `"${service.name}" takes one body, not a stream of items`);
    }
    if (service.shape === "duplex" && (flags & RpcFlag.streamingResponse) === 0) {
      return failure(Status.internal, `"${service.name}" answers with a stream of items`);
    }
    if (!this.#isAdmitted()) {
      service.meter.capabilityDenied += 1;
      const text = `this node does not admit the caller to "${service.name}"`;
      return failure(Status.capabilityDenied, text);
    }
    const { runningMax, runningPerPeerMax, meter } = service;
    const { fullOf } = this.#share;
    const isFull = service.running >= runningMax || fullOf === "node";
    if (!isFull && running < runningPerPeerMax && fullOf === undefined) return undefined;
    meter.overloaded += 1;
    const what = isFull ? "too many calls run here" : "too many calls of this caller run here";
    return overloadFailure(what, retryAfterMs(meter.handlerDuration));
  }

  /** The gate; as long as nothing changed that it looks at it is not asked again. */
  #isAdmitted(): boolean {
    const version = this.#engine.admissionVersion();
    if (version !== undefined && version === this.#admittedAt) return true;
    const isAdmitted = this.#engine.mayAdmit(this.#share.peer, this.#service.name);
    this.#admittedAt = isAdmitted ? version : undefined;
    return isAdmitted;
  }
}
