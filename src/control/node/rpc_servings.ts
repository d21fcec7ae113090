/**
 * Names that programs serve through their node: a method call lasts as long as the name is served and tells of
 * each call as progress; the program answers by further requests (`nrpc.md` 6 to 11).
 */
import { idToHex, NetError } from "../../base/mod.ts";
import { type CallShape, RpcStatusError } from "../../rpc/mod.ts";
import type { CallContext } from "../method.ts";
import type { CallNode } from "./rpc_calls.ts";
import { type GatherBudget, readBase64 } from "./rpc_items.ts";
import { type ServedCounts, type ServeParams, Serving, type ServingNode } from "./rpc_serving.ts";

/** Names that programs of this machine serve at a time. */
export const SERVINGS_MAX = 1_024;

/** Which call of which program a request means. */
export interface ServedRef {
  readonly serving: string;
  readonly call: number;
}

/** Parameters of `nrpc.answer`. */
export interface AnswerParams extends ServedRef {
  readonly items: readonly string[];
  readonly more: boolean;
  readonly end: boolean;
  /** Ends the call with this status instead. */
  readonly error?: {
    readonly status: number;
    readonly message: string;
    readonly body?: string | undefined;
  } | undefined;
}

/** The names that programs serve now. */
export class RpcServings {
  readonly #node: CallNode & ServingNode;
  readonly #budget: GatherBudget;
  readonly #servings = new Map<string, Serving>();
  /** Sums over the servings that have ended. */
  readonly #past: ServedCounts = { calls: 0, answered: 0, failed: 0, cancelled: 0 };

  constructor(node: CallNode & ServingNode, budget: GatherBudget) {
    this.#node = node;
    this.#budget = budget;
  }

  /** Names that are served now. */
  get count(): number {
    return this.#servings.size;
  }

  /** Calls so far, of all programs. */
  counts(): Readonly<ServedCounts> {
    const sum = { ...this.#past };
    for (const { counts } of this.#servings.values()) addCounts(sum, counts);
    return sum;
  }

  /** Shape of a service that a program of this machine serves. */
  shapeOf(service: string): CallShape | undefined {
    for (const { handle } of this.#servings.values()) {
      if (handle?.service === service) return handle.shape;
    }
    return undefined;
  }

  /**
   * Serves a name until the program leaves or asks for the end.
   *
   * @throws RpcError `serve_failed` when the name is served already or is none, NetError `limit`.
   */
  async serve(params: ServeParams, context: CallContext): Promise<object> {
    if (this.#servings.size >= SERVINGS_MAX) {
      throw new NetError("limit", `Cannot serve: programs serve ${SERVINGS_MAX} names already`, {
        next: "end one of them",
      });
    }
    const id = crypto.randomUUID();
    const { stopSignal } = this.#node;
    const serving = new Serving(params.service, context, stopSignal, this.#budget);
    this.#servings.set(id, serving);
    try {
      serving.open(this.#node, params);
      await context.send({ serving: id, node: idToHex(this.#node.mesh.transport.nodeId) });
      await serving.untilEnded();
      await serving.abandon();
      stopSignal.throwIfAborted();
      return { service: params.service, shape: params.shape, ...serving.counts };
    } finally {
      await serving.abandon();
      this.#servings.delete(id);
      addCounts(this.#past, serving.counts);
    }
  }

  /** The next piece of what a caller sends. */
  async take({ serving, call }: ServedRef): Promise<object> {
    const served = this.#get(serving).call(call);
    return served === undefined
      ? { items: [], more: false, end: true, over: true }
      : await served.take();
  }

  /** Takes what a program answers; `over` is true when nobody waits for it any more. */
  async answer({ serving, call, items, more, end, error }: AnswerParams): Promise<object> {
    const served = this.#get(serving).call(call);
    if (served === undefined) return { over: true };
    if (error !== undefined) {
      const body = error.body === undefined ? undefined : readBase64(error.body);
      served.fail(new RpcStatusError(error.status, error.message, body));
    } else await served.answer(items, more, end);
    return { over: false };
  }

  /** Takes no more calls for a program; resolves when those that run have answered. */
  async end(id: string): Promise<object> {
    await this.#get(id).close();
    return { ended: true };
  }

  #get(id: string): Serving {
    const serving = this.#servings.get(id);
    if (serving !== undefined) return serving;
    throw new NetError("not_found", "Cannot go on serving: the service has ended", {
      next: "repeat the whole command",
    });
  }
}

function addCounts(sum: ServedCounts, more: Readonly<ServedCounts>): void {
  sum.calls += more.calls;
  sum.answered += more.answered;
  sum.failed += more.failed;
  sum.cancelled += more.cancelled;
}
