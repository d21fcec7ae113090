/**
 * The tools that this node offers (`capabilities.md` 15).
 *
 * Serving is all or nothing: the tool stands in the node's own announcement before it can be called
 * (promise C8), and whatever fails takes back what was done before it. With the first tool comes the
 * service that answers for descriptors, and goes with the last.
 */
import { NetError } from "../../base/mod.ts";
import { RpcStatusError } from "../error.ts";
import type { Rpc, RpcContext, ServeHandle, StreamHandler, UnaryHandler } from "../types.ts";
import { Status } from "../wire/mod.ts";
import { createToolDescriptor, type ToolDescriptor } from "./descriptor.ts";
import { decodeText, encodeJson, type JsonValue, parseJson } from "./json.ts";
import { HOSTED_TOOLS_MAX, TOOL_BODY_BYTES_MAX } from "./limits.ts";
import { answerMetadataFetch } from "./metadata_fetch.ts";
import { CODE_HANDLER_ERROR, encodeToolEvent, isTerminal, type ToolEvent } from "./tool_event.ts";
import { TOOL_METADATA_SERVICE } from "./tool_facts.ts";
import { TOOL_WATCH_SERVICE } from "./tool_watch_frame.ts";

/** Does the work of a tool that answers once. */
export type ToolHandler = (
  input: JsonValue,
  context: RpcContext,
) => JsonValue | Promise<JsonValue>;

/** Does the work of a tool that answers with events; `start` is sent for it. */
export type StreamingToolHandler = (
  input: JsonValue,
  context: RpcContext,
) => AsyncIterable<ToolEvent>;

/** What {@linkcode ToolHost} needs. */
export interface ToolHostDeps {
  readonly rpc: Pick<Rpc, "serve" | "serveStream">;
  /**
   * Puts these tools, and no others, into the node's own announcement before it returns; telling the
   * mesh may follow.
   *
   * @throws NetError `limit` when there is no room for them.
   */
  readonly announce: (tools: readonly ToolDescriptor[]) => void;
}

/** Serves a tool's name with handlers of its own, which take and give the bodies as they travel. */
export type OfferedTool = (rpc: ToolHostDeps["rpc"], toolId: string) => ServeHandle;

/** A tool being served. */
export interface ServedTool extends AsyncDisposable {
  readonly descriptor: ToolDescriptor;
  /**
   * Takes no more calls and takes the tool out of the announcement at once; resolves when the calls that
   * run have answered.
   */
  close(): Promise<void>;
}

/** Serves tools. */
export class ToolHost {
  readonly #deps: ToolHostDeps;
  readonly #tools = new Map<string, ToolDescriptor>();
  #metadata: ServeHandle | undefined;

  constructor(deps: ToolHostDeps) {
    this.#deps = deps;
  }

  /** Tools served now. */
  get tools(): ReadonlyMap<string, ToolDescriptor> {
    return this.#tools;
  }

  /**
   * Offers a tool that answers once.
   *
   * @throws NetError `conflict` when the id is served already, `limit` when there are too many tools or
   * the announcement has no room; nothing is left behind then.
   * @throws RangeError when the descriptor is not valid or says that the tool streams.
   */
  serve(descriptor: ToolDescriptor, handler: ToolHandler): ServedTool {
    if (descriptor.isStreaming) throw wrongKind(descriptor, "with events");
    return this.offer(descriptor, (rpc, toolId) => rpc.serve(toolId, answerOnce(handler)));
  }

  /** Offers a tool that answers with events; {@linkcode ToolHost.serve} otherwise. */
  serveStream(descriptor: ToolDescriptor, handler: StreamingToolHandler): ServedTool {
    if (!descriptor.isStreaming) throw wrongKind(descriptor, "once");
    return this.offer(
      descriptor,
      (rpc, toolId) => rpc.serveStream(toolId, answerWithEvents(toolId, handler)),
    );
  }

  /**
   * Offers a tool whose calls somebody else answers; {@linkcode ToolHost.serve} otherwise.
   *
   * @param listen Serves the name in the shape that the descriptor tells.
   */
  offer(unchecked: ToolDescriptor, listen: OfferedTool): ServedTool {
    const descriptor = createToolDescriptor(unchecked);
    const { toolId } = descriptor;
    this.#refuse(toolId);
    let served: ServeHandle;
    this.#tools.set(toolId, descriptor);
    try {
      this.#announce();
      this.#serveMetadata();
      served = listen(this.#deps.rpc, toolId);
    } catch (error) {
      // Answers for descriptors take no time, so that nobody waits for those that run.
      void this.#withdraw(toolId);
      throw error;
    }
    let closing: Promise<void> | undefined;
    const close = () =>
      closing ??= (async () => {
        // Whoever still calls is told that there is no such service, not that a tool fails.
        const answered = served.close();
        await this.#withdraw(toolId);
        await answered;
      })();
    return { descriptor, close, [Symbol.asyncDispose]: close };
  }

  #refuse(toolId: string): void {
    if (toolId === TOOL_METADATA_SERVICE || toolId === TOOL_WATCH_SERVICE) {
      throw new NetError("conflict", `Cannot serve tool "${toolId}": the name is reserved`, {
        next: "choose another tool id",
      });
    }
    if (this.#tools.has(toolId)) {
      throw new NetError("conflict", `Cannot serve tool "${toolId}": it is served already`, {
        next: "close the other one first",
      });
    }
    if (this.#tools.size >= HOSTED_TOOLS_MAX) {
      throw new NetError(
        "limit",
        `Cannot serve tool "${toolId}": ${this.#tools.size} tools are served, must be fewer than ` +
          `${HOSTED_TOOLS_MAX}`,
        { next: "serve it from another node" },
      );
    }
  }

  #announce(): void {
    this.#deps.announce([...this.#tools.values()]);
  }

  #serveMetadata(): void {
    this.#metadata ??= this.#deps.rpc.serve(
      TOOL_METADATA_SERVICE,
      (body) => answerMetadataFetch(body, this.#tools),
    );
  }

  /** Announces what is left; fewer tools always have room. */
  #withdraw(toolId: string): Promise<void> {
    this.#tools.delete(toolId);
    const unused = this.#tools.size === 0 ? this.#metadata : undefined;
    if (unused !== undefined) this.#metadata = undefined;
    const answered = unused?.close();
    this.#announce();
    return answered ?? Promise.resolve();
  }
}

function answerOnce(handler: ToolHandler): UnaryHandler {
  return async (body, context) => {
    const input = readInput(body);
    if (!input.ok) {
      throw new RpcStatusError(
        Status.badRequest,
        "typed handler: bad request body: it is no JSON",
      );
    }
    try {
      const output = await handler(input.value, context);
      return encodeJson(output, "tool result", TOOL_BODY_BYTES_MAX);
    } catch (error) {
      if (error instanceof RpcStatusError) throw error;
      throw new RpcStatusError(Status.handlerError, textOf(error));
    }
  };
}

function answerWithEvents(toolId: string, handler: StreamingToolHandler): StreamHandler {
  return async function* (body, context) {
    const { callId } = context;
    yield encodeToolEvent({ kind: "start", toolId, callId });
    const input = readInput(body);
    if (!input.ok) {
      const message = "the request is no JSON";
      yield encodeToolEvent({ kind: "error", code: "bad_request", message });
      return;
    }
    try {
      for await (const event of handler(input.value, context)) {
        if (event.kind === "start") continue;
        yield encodeToolEvent(event);
        if (isTerminal(event)) return;
      }
    } catch (error) {
      const message = textOf(error);
      yield encodeToolEvent({ kind: "error", code: CODE_HANDLER_ERROR, message });
    }
  };
}

type Input = { readonly ok: true; readonly value: JsonValue } | { readonly ok: false };

/** Arguments of a call; nothing at all means none. */
function readInput(body: Uint8Array): Input {
  if (body.length === 0) return { ok: true, value: {} };
  const text = decodeText(body, TOOL_BODY_BYTES_MAX);
  const value = text === undefined ? undefined : parseJson(text);
  return value === undefined ? { ok: false } : { ok: true, value };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function wrongKind({ toolId, isStreaming }: ToolDescriptor, answers: string): RangeError {
  return new RangeError(
    `Cannot serve tool "${toolId}": its descriptor says that it answers ${answers} ` +
      `(isStreaming is ${isStreaming}), must agree with how it is served`,
  );
}
