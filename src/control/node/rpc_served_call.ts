/** One call that a program serves: what came in is taken by the program, what goes out is pushed by it. */
import { idToHex, NetError, systemClock } from "../../base/mod.ts";
import { type CallShape, type RpcContext, RpcStatusError, Status } from "../../rpc/mod.ts";
import { ItemBatches } from "./rpc_batches.ts";
import {
  describeBody,
  type GatherBudget,
  ItemGatherer,
  ItemQueue,
  PIECE_BYTES_MAX,
} from "./rpc_items.ts";

/** Longest body that is told together with its call. */
const INLINE_BYTES_MAX = 65_536;

const NOTHING_MORE = { items: [], more: false, end: true };

/** A call while it runs. */
export class ServedCall {
  readonly #number: number;
  readonly #shape: CallShape;
  readonly #context: RpcContext;
  readonly #source: Uint8Array | ItemBatches;
  readonly #answers = new ItemQueue();
  readonly #gatherer: ItemGatherer;
  /** Items that have come and are not taken, of the first one perhaps only the end. */
  #rest: readonly Uint8Array[] = [];
  #isTaking = false;

  /**
   * @param number By which the program names the call.
   * @param given The body, or the items that come.
   */
  constructor(
    number: number,
    shape: CallShape,
    given: Uint8Array | AsyncIterable<Uint8Array>,
    context: RpcContext,
    budget: GatherBudget,
  ) {
    this.#number = number;
    this.#shape = shape;
    this.#context = context;
    this.#source = given instanceof Uint8Array
      ? given
      : new ItemBatches(given[Symbol.asyncIterator](), systemClock);
    this.#gatherer = new ItemGatherer(budget);
    if (given instanceof Uint8Array) this.#rest = [given];
  }

  /** The items that the program answers with. */
  get answers(): AsyncIterable<Uint8Array> {
    return this.#answers;
  }

  /**
   * The one body that the program answers with.
   *
   * @throws RpcStatusError when there are several.
   */
  async onlyAnswer(): Promise<Uint8Array> {
    const first = await this.#answers.next();
    if (first === undefined) return new Uint8Array(0);
    if (await this.#answers.next() === undefined) return first;
    throw new RpcStatusError(Status.internal, "the program answered with more than one body");
  }

  /** The call as the program is told of it; a short body comes along, others are taken. */
  describe(): object {
    const { service, caller, origin, callId, deadlineMs, headers, trace } = this.#context;
    const body = this.#source instanceof Uint8Array && this.#source.length <= INLINE_BYTES_MAX
      ? this.#source.toBase64()
      : undefined;
    if (body !== undefined) this.#rest = [];
    return {
      call: this.#number,
      service,
      shape: this.#shape,
      caller: idToHex(caller),
      origin: idToHex(origin),
      call_id: idToHex(callId),
      deadline_ms: deadlineMs ?? null,
      headers: headers.map(({ name, value }) => ({ name, ...describeBody(value) })),
      trace: trace === undefined ? null : {
        trace_id: trace.traceId,
        span_id: trace.spanId,
        parent_span_id: trace.parentSpanId ?? null,
        sampled: trace.isSampled,
        state: trace.state,
      },
      ...(body === undefined ? {} : { body }),
    };
  }

  /**
   * The next items that the caller sends, as many as have come, or a piece of a long one; waits for the first.
   *
   * @throws NetError `conflict` while another request waits for one; whatever ended the upload.
   */
  async take(): Promise<object> {
    if (this.#isTaking) {
      throw new NetError("conflict", "Cannot take item: another request waits for it already");
    }
    this.#isTaking = true;
    try {
      if (this.#rest.length === 0) {
        const batch = this.#source instanceof Uint8Array ? undefined : await this.#source.next();
        if (batch === undefined) return NOTHING_MORE;
        this.#rest = batch;
      }
      return this.#takeRest();
    } finally {
      this.#isTaking = false;
    }
  }

  #takeRest(): object {
    const [first, ...others] = this.#rest;
    if (first !== undefined && first.length > PIECE_BYTES_MAX) {
      this.#rest = [first.subarray(PIECE_BYTES_MAX), ...others];
      return { items: [first.subarray(0, PIECE_BYTES_MAX).toBase64()], more: true, end: false };
    }
    const items: string[] = [];
    let bytes = 0;
    for (const item of this.#rest) {
      bytes += item.length;
      if (items.length > 0 && bytes > PIECE_BYTES_MAX) break;
      items.push(item.toBase64());
    }
    this.#rest = this.#rest.slice(items.length);
    return { items, more: false, end: false };
  }

  /**
   * Takes what the program answers; resolves when the caller has room for more.
   *
   * @param more The last item goes on with the next request.
   * @param end This was all.
   */
  async answer(items: readonly string[], more: boolean, end: boolean): Promise<void> {
    const whole = this.#gatherer.addAll(items, more);
    if (end && this.#gatherer.isOpen) {
      throw new NetError("usage", "Cannot end the answer: its last item is not whole");
    }
    if (whole.length > 0) await this.#answers.push(whole);
    if (end) this.#answers.end();
  }

  /** Ends the answer with an error. */
  fail(error: unknown): void {
    this.#answers.fail(error);
  }

  /** Frees what is held. */
  end(): void {
    this.#gatherer.clear();
  }
}
