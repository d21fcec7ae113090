/**
 * Calls that programs make through their node: one method call lasts as long as the call itself, and what the
 * program uploads comes by further requests that name it (`nrpc.md` 6 to 10).
 */
import { idToHex, NetError, systemClock, utf8 } from "../../base/mod.ts";
import { type CallOptions, type CallShape, type Rpc, RpcError } from "../../rpc/mod.ts";
import type { CallContext } from "../method.ts";
import type { MeshView } from "./mesh_view.ts";
import { type CallOptionParams, readCallOptions } from "./rpc_call_options.ts";
import { ItemBatches } from "./rpc_batches.ts";
import {
  describeBody,
  type GatherBudget,
  ItemGatherer,
  ItemQueue,
  readBase64,
  sendItem,
  sendItems,
} from "./rpc_items.ts";

/** Calls at a time whose uploads are open: as many as one client of the control surface may have. */
export const OPEN_CALLS_MAX = 1_024;
/** Longest body in a plain reply; a longer one comes as progress. */
const REPLY_BODY_BYTES_MAX = 4 * 1024 * 1024;
/** Longest body of an error that is told. */
const ERROR_BODY_BYTES_MAX = 65_536;

const EMPTY = new Uint8Array(0);

/** What calls need of a node. */
export interface CallNode extends MeshView {
  readonly rpc: Rpc;
  /** Aborted when the node begins to stop. */
  readonly stopSignal: AbortSignal;
}

/** Parameters of `nrpc.call`. */
export interface CallParams extends CallOptionParams {
  readonly service: string;
  readonly shape: CallShape;
  readonly body?: string | undefined;
  readonly encoding: "utf8" | "base64";
  /** What is sent comes by `nrpc.send`, not as `body`. */
  readonly open: boolean;
  /** Where the answer goes: into the reply, which only a unary call can, or into progress. */
  readonly answer: "reply" | "progress";
}

/** Parameters of `nrpc.send`. */
export interface SendParams {
  readonly call: string;
  /** Items as base64; of the last one perhaps only a piece. */
  readonly items: readonly string[];
  /** The last item goes on with the next request. */
  readonly more: boolean;
  /** Nothing more comes. */
  readonly end: boolean;
}

interface Upload {
  readonly queue: ItemQueue;
  readonly gatherer: ItemGatherer;
}

/** How a call went. */
interface Exchanged {
  /** Node that was called; `undefined` where the call chose it by itself and does not say. */
  readonly node: bigint | undefined;
  readonly items: number;
  readonly body?: Uint8Array;
}

/** The calls that programs make now. */
export class RpcCalls {
  readonly #node: CallNode;
  readonly #budget: GatherBudget;
  readonly #uploads = new Map<string, Upload>();

  constructor(node: CallNode, budget: GatherBudget) {
    this.#node = node;
    this.#budget = budget;
  }

  /** Calls whose uploads are open. */
  get uploadCount(): number {
    return this.#uploads.size;
  }

  /**
   * Makes a call; resolves when it is over.
   *
   * @throws RpcError when there is no answer, NetError `usage` for parameters that make no sense together.
   */
  async call(params: CallParams, context: CallContext): Promise<object> {
    const { service, shape } = params;
    requireSense(params);
    const options = { ...readCallOptions(this.#node, params), signal: context.signal };
    const startMs = systemClock.now();
    try {
      const { node, items, body } = params.open
        ? await this.#callOpen(params, options, context)
        : await this.#exchange(params, options, context, readBody(params));
      return {
        service,
        shape,
        node: node === undefined ? null : idToHex(node),
        items,
        ms: Math.round((systemClock.now() - startMs) * 1_000) / 1_000,
        ...(body === undefined ? {} : describeBody(body)),
      };
    } catch (error) {
      throw withBody(error);
    }
  }

  /**
   * Takes what the program uploads for a call; resolves when the call took it.
   *
   * @throws NetError `not_found` for a call that has ended, `limit` for a body that is too long.
   */
  async send({ call, items, more, end }: SendParams): Promise<object> {
    const upload = this.#uploads.get(call);
    if (upload === undefined) {
      throw new NetError("not_found", "Cannot send item: the call has ended", {
        next: "see in the answer of the call what ended it",
      });
    }
    const { queue, gatherer } = upload;
    const whole = gatherer.addAll(items, more);
    if (end && gatherer.isOpen) {
      throw new NetError("usage", "Cannot end the upload: its last item is not whole");
    }
    if (whole.length > 0) await queue.push(whole);
    if (end) queue.end();
    return { taken: whole.length };
  }

  async #callOpen(
    params: CallParams,
    options: CallOptions,
    context: CallContext,
  ): Promise<Exchanged> {
    if (this.#uploads.size >= OPEN_CALLS_MAX) {
      throw new NetError("limit", `Cannot call: ${OPEN_CALLS_MAX} calls upload already`, {
        next: "wait until some of them have ended",
      });
    }
    const id = crypto.randomUUID();
    const queue = new ItemQueue();
    const gatherer = new ItemGatherer(this.#budget);
    this.#uploads.set(id, { queue, gatherer });
    const onAbort = () => queue.fail(context.signal.reason);
    context.signal.addEventListener("abort", onAbort, { once: true });
    try {
      await context.send({ call: id });
      const isUpload = params.shape === "client_stream" || params.shape === "duplex";
      return await this.#exchange(
        params,
        options,
        context,
        isUpload ? queue : await onlyItem(queue),
      );
    } finally {
      context.signal.removeEventListener("abort", onAbort);
      queue.fail(new NetError("conflict", "Cannot send item: the call has ended"));
      gatherer.clear();
      this.#uploads.delete(id);
    }
  }

  /** One call: with a body, or with the items of an upload. */
  async #exchange(
    { service, shape, answer }: CallParams,
    options: CallOptions,
    context: CallContext,
    given: Uint8Array | ItemQueue,
  ): Promise<Exchanged> {
    const { rpc } = this.#node;
    const send = (data: object) => context.send(data);
    const [body, items] = given instanceof ItemQueue ? [EMPTY, given] : [given, new ItemQueue()];
    switch (shape) {
      case "unary": {
        const got = await rpc.call(service, body, options);
        if (answer === "reply") return { node: options.target, items: 1, body: replyBody(got) };
        await sendItem(send, got);
        return { node: options.target, items: 1 };
      }
      case "server_stream": {
        await using stream = await rpc.callStream(service, body, options);
        return { node: stream.target, items: await relay(stream, send) };
      }
      case "client_stream": {
        await using stream = await rpc.callClientStream(service, options);
        for await (const item of items) await stream.send(item);
        await sendItem(send, await stream.finish());
        return { node: stream.target, items: 1 };
      }
      case "duplex": {
        await using stream = await rpc.callDuplex(service, options);
        const { requests, responses } = stream;
        const upload = async () => {
          for await (const item of items) await requests.send(item);
          await requests.finish();
        };
        // An upload that fails ends the call, and whoever reads the answers is told.
        upload().catch((error) => stream.cancel(error));
        return { node: stream.target, items: await relay(responses, send) };
      }
    }
  }
}

function requireSense({ shape, open, body, answer }: CallParams): void {
  if (answer === "reply" && shape !== "unary") {
    throw new NetError("usage", `Cannot put the answer of a ${shape} call into one reply`, {
      next: 'ask for "answer": "progress"',
    });
  }
  if (!open && (shape === "client_stream" || shape === "duplex")) {
    throw new NetError("usage", `Cannot make a ${shape} call with one body`, {
      next: 'ask for "open": true and send items with nrpc.send',
    });
  }
  if (open && body !== undefined) {
    throw new NetError("usage", 'Cannot call: "body" and "open" exclude each other');
  }
}

function readBody({ body = "", encoding }: CallParams): Uint8Array {
  return encoding === "utf8" ? utf8(body) : readBase64(body);
}

async function onlyItem(queue: ItemQueue): Promise<Uint8Array> {
  const first = await queue.next() ?? EMPTY;
  if (await queue.next() === undefined) return first;
  throw new NetError("usage", "Cannot call: more than one body was sent", {
    next: "call a service that takes a stream, with net rpc call --upload",
  });
}

function replyBody(body: Uint8Array): Uint8Array {
  if (body.length <= REPLY_BODY_BYTES_MAX) return body;
  throw new NetError("limit", `Cannot reply with ${body.length} bytes in one line`, {
    next: 'ask for "answer": "progress"',
  });
}

async function relay(
  responses: AsyncIterable<Uint8Array>,
  send: (data: object) => Promise<void>,
): Promise<number> {
  const batches = new ItemBatches(responses[Symbol.asyncIterator](), systemClock);
  let items = 0;
  for (let batch = await batches.next(); batch !== undefined; batch = await batches.next()) {
    await sendItems(send, batch);
    items += batch.length;
  }
  return items;
}

/** The same error with the body that the server answered with among its facts. */
function withBody(error: unknown): unknown {
  if (!(error instanceof RpcError) || error.body === undefined) return error;
  if (error.body.length > ERROR_BODY_BYTES_MAX) return error;
  const { code, message, next, data } = error;
  const facts = { ...data, body: describeBody(error.body) };
  return new NetError(code, message, { cause: error, next, data: facts });
}
