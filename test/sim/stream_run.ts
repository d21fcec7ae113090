/**
 * One reliable stream of a simulated network: what was sent, what arrived, how it ended.
 *
 * It is judged at the end by {@linkcode StreamRun.faults}: everything once, in order where that was asked
 * for, or a typed error on both sides.
 */

import { equalBytes, NetError } from "../../src/base/mod.ts";
import type { MeshTransport, StreamEnd } from "../../src/core/transport/mod.ts";
import { seededRandom } from "./memory_network.ts";

/** How the sending side of a stream ended. */
export type SenderOutcome = "pending" | "done" | "error" | "aborted" | "untyped";

/** Options of {@linkcode StreamRun}. */
export interface StreamRunOptions {
  readonly name: string;
  readonly streamId: bigint;
  readonly windowBytes: number;
  readonly isOrdered: boolean;
  /** Many events per packet. */
  readonly isBatched: boolean;
  readonly isPatient?: boolean;
  /** The receiver reads event by event. */
  readonly isRead?: boolean;
  readonly isScheduled?: boolean;
  readonly weight?: number;
  readonly payloads: readonly Uint8Array[];
  /** Events after which the sender gives up. */
  readonly abortAfter?: number;
  /** Events after which the receiver wants no more. */
  readonly cancelAfter?: number;
  /** Makes a reader take its time before the next event. */
  readonly pause?: () => Promise<void>;
  /** Told how each side ended. */
  readonly onEnd?: (side: "sender" | "receiver", how: string) => void;
}

/** Events that one patient call sends. */
const PATIENT_EVENTS = 7;
/** Events begin with their number. */
const NUMBER_BYTES = 4;

/** Draws the events of a stream; none is longer than `bytesMax`, or 4. */
export function drawPayloads(seed: number, count: number, bytesMax: number): Uint8Array[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, number) => {
    const length = NUMBER_BYTES + Math.floor(random() * Math.max(bytesMax - NUMBER_BYTES + 1, 1));
    const payload = new Uint8Array(length).fill(Math.floor(random() * 256));
    new DataView(payload.buffer).setUint32(0, number, true);
    return payload;
  });
}

/** A stream under observation. */
export class StreamRun {
  readonly name: string;
  sender: SenderOutcome = "pending";
  /** Code of the sender's error. */
  errorCode: string | undefined;
  /** Why the receiver was told that the stream ended; a reader gets an error. */
  receiverEnd: StreamEnd | "failed" | "cancelled" | "untyped" | undefined;
  /** Events in the order they arrived. */
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

  /** True when nothing more will happen. */
  get isOver(): boolean {
    if (this.sender === "pending") return false;
    return this.isComplete || this.receiverEnd !== undefined;
  }

  /** Opens both halves and begins to send. */
  start(from: MeshTransport, to: MeshTransport): void {
    if (this.#options.isRead) {
      this.#read(from.nodeId, to).catch((error: unknown) => {
        this.#onReceiverEnd(error instanceof NetError ? "failed" : "untyped");
      });
    } else this.#handle(from.nodeId, to);
    this.#send(from, to.nodeId).then(
      (outcome) => this.sender = outcome,
      (error: unknown) => {
        this.sender = error instanceof NetError ? "error" : "untyped";
        this.errorCode = error instanceof NetError ? error.code : String(error);
      },
    ).finally(() => this.#options.onEnd?.("sender", `${this.sender} ${this.errorCode ?? ""}`));
  }

  #handle(from: bigint, to: MeshTransport): void {
    const { streamId, windowBytes, isOrdered, cancelAfter } = this.#options;
    const end = to.openReceiveStream(from, streamId, {
      onEvent: (_, payload) => {
        this.#onEvent(payload);
        if (this.arrived.length !== cancelAfter) return;
        this.#onReceiverEnd("cancelled");
        end({ abort: true });
      },
      onEnd: (reason) => this.#onReceiverEnd(reason),
    }, { windowBytes, isOrdered });
  }

  async #read(from: bigint, to: MeshTransport): Promise<void> {
    const { streamId, windowBytes, isOrdered, cancelAfter, pause } = this.#options;
    const reader = to.readStream(from, streamId, { windowBytes, isOrdered });
    for (;;) {
      await pause?.();
      const event = await reader.read();
      if (event === undefined) return;
      this.#onEvent(event);
      if (this.arrived.length !== cancelAfter) continue;
      this.#onReceiverEnd("cancelled");
      reader.cancel({ abort: true });
      return;
    }
  }

  #onReceiverEnd(how: typeof this.receiverEnd & string): void {
    if (this.receiverEnd !== undefined) this.#note("receiver was told twice of the end");
    this.receiverEnd = how;
    this.#options.onEnd?.("receiver", how);
  }

  /** What is wrong with the stream now that the network was quiet for long; empty when nothing is. */
  faults(): string[] {
    const faults = [...this.#faults];
    const progress = this.describe();
    if (this.sender === "pending") faults.push(`sender neither finished nor failed: ${progress}`);
    if (this.sender === "untyped") faults.push(`sender failed without a type: ${progress}`);
    if (this.receiverEnd === "untyped") faults.push(`reader failed without a type: ${progress}`);
    if (this.sender === "done" && !this.isComplete && this.receiverEnd !== "cancelled") {
      faults.push(`sender was told that all arrived: ${progress}`);
    }
    if (this.sender !== "pending" && !this.isOver) {
      faults.push(`receiver was not told that the sender gave up: ${progress}`);
    }
    return faults.map((fault) => `stream ${this.name}: ${fault}`);
  }

  /** How the stream stands, for a fault. */
  describe(): string {
    const { payloads, isOrdered } = this.#options;
    return `sender ${this.sender} ${this.errorCode ?? ""}, ${this.#seen.size} of ` +
      `${payloads.length} arrived${isOrdered ? " in order" : ""}, receiver ${
        this.receiverEnd ?? "open"
      }`;
  }

  async #send(from: MeshTransport, to: bigint): Promise<SenderOutcome> {
    const { streamId, payloads, isBatched, isPatient, abortAfter = Infinity } = this.#options;
    const { windowBytes, isScheduled, weight } = this.#options;
    const stream = from.openSendStream(to, streamId, { windowBytes, isScheduled, weight });
    for (let sent = 0; sent < payloads.length;) {
      if (sent >= abortAfter) {
        stream.abort();
        return "aborted";
      }
      if (isPatient) {
        const end = isBatched ? Math.min(sent + PATIENT_EVENTS, payloads.length) : sent + 1;
        if (isBatched) await stream.sendAll(payloads.slice(sent, end));
        else await stream.send(payloads[sent] as Uint8Array);
        sent = end;
        continue;
      }
      const taken = isBatched
        ? stream.trySendAll(payloads, sent)
        : Number(stream.trySend(payloads[sent] as Uint8Array));
      sent += taken;
      if (taken === 0) await stream.ready();
    }
    await stream.close();
    return "done";
  }

  #onEvent(payload: Uint8Array): void {
    const number = payload.length < NUMBER_BYTES
      ? -1
      : new DataView(payload.buffer, payload.byteOffset).getUint32(0, true);
    const expected = this.#options.payloads[number];
    if (this.receiverEnd !== undefined) this.#note(`event ${number} after the end`);
    if (this.#seen.has(number)) this.#note(`event ${number} was delivered twice`);
    if (this.#options.isOrdered && number !== this.arrived.length) {
      this.#note(`event ${number} came in place of ${this.arrived.length}`);
    }
    if (expected === undefined || !equalBytes(payload, expected)) {
      this.#note(`event ${number} is not what was sent`);
    }
    this.#seen.add(number);
    this.arrived.push(number);
  }

  #note(fault: string): void {
    // One broken stream would fill pages.
    if (this.#faults.length < 3) this.#faults.push(fault);
  }
}
