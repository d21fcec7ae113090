/**
 * Messages that this node sends to itself (promise 98): handed to their handler at once, so that a plane
 * above need not know whether a node is this one.
 *
 * A handler that answers itself would never return. Nesting is bounded; what goes deeper is dropped and
 * counted, and the first time an operator is told, because it is a fault of the program.
 */

import type { Log } from "../../observe/mod.ts";
import { LOOPBACK_DEPTH_MAX } from "./mesh_limits.ts";
import type { SubprotocolMessage } from "./types.ts";

/** Counters of messages to this node itself. */
export interface LoopbackCounters {
  loopback_messages_total: number;
  drop_loopback_depth_total: number;
}

/** What {@linkcode Loopback} needs. */
export interface LoopbackDeps {
  readonly log: Log;
  readonly handlers: ReadonlyMap<number, (message: SubprotocolMessage) => void>;
}

/** Delivers messages of this node to itself. */
export class Loopback {
  readonly counters: LoopbackCounters = {
    loopback_messages_total: 0,
    drop_loopback_depth_total: 0,
  };
  readonly #deps: LoopbackDeps;
  #depth = 0;
  #isTold = false;

  constructor(deps: LoopbackDeps) {
    this.#deps = deps;
  }

  /** Hands a message to its handler; false when there is none, or it is nested too deep. */
  deliver(message: SubprotocolMessage): boolean {
    const handler = this.#deps.handlers.get(message.subprotocol);
    if (handler === undefined) return false;
    if (this.#depth >= LOOPBACK_DEPTH_MAX) {
      this.counters.drop_loopback_depth_total += 1;
      if (!this.#isTold) {
        this.#isTold = true;
        this.#deps.log.warn("loopback_too_deep", {
          subprotocol: message.subprotocol,
          depth: this.#depth,
          hint: "a handler of this subprotocol sends to its own node; its messages are dropped",
        });
      }
      return false;
    }
    this.#depth += 1;
    try {
      this.counters.loopback_messages_total += 1;
      handler(message);
    } finally {
      this.#depth -= 1;
    }
    return true;
  }
}
