/**
 * One reliable stream of a simulated network: what was sent, what arrived, how it ended.
 *
 * It is judged at the end by {@linkcode StreamRun.faults}: everything once, or a typed error.
 */

import { equalBytes, NetError } from "../../src/base/mod.ts";
import type { MeshTransport, StreamEnd } from "../../src/core/transport/mod.ts";

/** How the sending side of a stream ended. */
export type SenderOutcome = "pending" | "done" | "error" | "untyped";

/** Options of {@linkcode StreamRun}. */
export interface StreamRunOptions {
  readonly name: string;
  readonly streamId: bigint;
  readonly windowBytes: number;
  readonly payloads: readonly Uint8Array[];
}

/** A stream under observation. */
export class StreamRun {
  readonly name: string;
  sender: SenderOutcome = "pending";
  /** Code of the sender's error. */
  errorCode: string | undefined;
  /** Why the receiver was told that the stream ended. */
  receiverEnd: StreamEnd | undefined;
  /** Packets in the order they arrived. */
  readonly arrived: number[] = [];
  readonly #options: StreamRunOptions;
  readonly #seen = new Set<number>();
  readonly #faults: string[] = [];

  constructor(options: StreamRunOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** True when every event arrived. */
  get isComplete(): boolean {
    return this.#seen.size === this.#options.payloads.length;
  }

  /** Opens both halves and begins to send. */
  start(from: MeshTransport, to: MeshTransport): void {
    const { streamId, windowBytes, payloads } = this.#options;
    to.openReceiveStream(from.nodeId, streamId, {
      onEvent: (sequence, payload, index) => this.#onEvent(sequence, payload, index),
      onEnd: (reason) => {
        if (this.receiverEnd !== undefined) this.#faults.push("receiver was told twice of the end");
        this.receiverEnd = reason;
      },
    }, { windowBytes });
    const send = async () => {
      const stream = from.openSendStream(to.nodeId, streamId, { windowBytes });
      for (const payload of payloads) {
        while (!stream.trySend(payload)) await stream.ready();
      }
      await stream.close();
    };
    send().then(
      () => {
        this.sender = "done";
      },
      (error: unknown) => {
        this.sender = error instanceof NetError ? "error" : "untyped";
        this.errorCode = error instanceof NetError ? error.code : String(error);
      },
    );
  }

  /** What is wrong with the stream now that the network was quiet for long; empty when nothing is. */
  faults(): string[] {
    const faults = [...this.#faults];
    const { length } = this.#options.payloads;
    const progress = `${this.#seen.size} of ${length} arrived, receiver ${
      this.receiverEnd ?? "open"
    }`;
    if (this.sender === "pending") faults.push(`sender neither finished nor failed: ${progress}`);
    if (this.sender === "untyped") faults.push(`sender failed without a type: ${this.errorCode}`);
    if (this.sender === "done" && !this.isComplete && this.receiverEnd === undefined) {
      faults.push(`sender was told that all arrived: ${progress}`);
    }
    return faults.map((fault) => `stream ${this.name}: ${fault}`);
  }

  /** How the two sides see the stream differently, though neither was left without an answer. */
  disagreement(): string | undefined {
    if (this.sender !== "done" || this.isComplete) return undefined;
    const { length } = this.#options.payloads;
    return `stream ${this.name}: done, but the receiver ended with ${this.receiverEnd} after ` +
      `${this.#seen.size} of ${length}`;
  }

  #onEvent(sequence: number, payload: Uint8Array, index: number): void {
    const expected = this.#options.payloads[sequence];
    if (this.receiverEnd !== undefined) this.#faults.push(`event ${sequence} after the end`);
    if (this.#seen.has(sequence)) this.#faults.push(`event ${sequence} was delivered twice`);
    if (expected === undefined || index !== 0 || !equalBytes(payload, expected)) {
      this.#faults.push(`event ${sequence}:${index} is not what was sent`);
    }
    this.#seen.add(sequence);
    this.arrived.push(sequence);
  }
}
