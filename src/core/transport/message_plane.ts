/** Messages of subprotocols as the planes above send and take them: to peers, and to this node itself. */
import { highHalf, lowHalf } from "../../base/mod.ts";
import type { Log } from "../../observe/mod.ts";
import { MAX_EVENT_BYTES } from "./wire/header.ts";
import { Loopback } from "./loopback.ts";
import type { SessionsInUse } from "./session/sessions_in_use.ts";
import type { SubprotocolMessage } from "./types.ts";

/** Takes the messages of one subprotocol. */
export type MessageHandler = (message: SubprotocolMessage) => void;

/** Options of {@linkcode MessagePlane.send}. */
export interface SendMessageOptions {
  readonly reliableFlag?: boolean;
  /** The next of the subprotocol's own stream when left out. */
  readonly sequence?: number;
}

/** What {@linkcode MessagePlane} needs. */
export interface MessagePlaneDeps {
  readonly log: Log;
  readonly sessions: SessionsInUse;
}

/** Sends messages, and knows who takes those that come. */
export class MessagePlane {
  readonly loopback: Loopback;
  readonly #nodeId: bigint;
  readonly #sessions: SessionsInUse;
  readonly #handlers = new Map<number, MessageHandler>();

  constructor({ log, sessions }: MessagePlaneDeps, nodeId: bigint) {
    this.#nodeId = nodeId;
    this.#sessions = sessions;
    this.loopback = new Loopback({ log, handlers: this.#handlers });
  }

  /** The handler of each subprotocol that has one. */
  get handlers(): ReadonlyMap<number, MessageHandler> {
    return this.#handlers;
  }

  /** See `MeshLink.sendMessage`. */
  send(
    peer: bigint,
    subprotocol: number,
    streamId: bigint,
    payload: Uint8Array,
    options: SendMessageOptions,
  ): boolean {
    if (payload.length > MAX_EVENT_BYTES) {
      throw new RangeError(
        `Cannot send message: length is ${payload.length}, must be at most ${MAX_EVENT_BYTES}`,
      );
    }
    const { reliableFlag, sequence } = options;
    if (peer === this.#nodeId) {
      const message = { from: peer, subprotocol, streamId, sequence: sequence ?? 0, payload };
      return this.loopback.deliver(message);
    }
    const session = this.#sessions.sendable(peer);
    if (session === undefined) return false;
    const low = lowHalf(streamId);
    const high = highHalf(streamId);
    return session.sendMessage(subprotocol, low, high, payload, reliableFlag, sequence);
  }

  /** See `MeshLink.onMessage`. */
  on(subprotocol: number, handler: MessageHandler): () => void {
    if (this.#handlers.has(subprotocol)) {
      throw new TypeError(`Cannot register subprotocol ${subprotocol}: it has a handler`);
    }
    this.#handlers.set(subprotocol, handler);
    return () => void this.#handlers.delete(subprotocol);
  }
}
