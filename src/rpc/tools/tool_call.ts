/**
 * Calling tools of other nodes (`capabilities.md` 15): once, or as a stream of events that always has a
 * last one.
 */
import { NetError } from "../../base/mod.ts";
import type { CallOptions, Rpc } from "../types.ts";
import type { ToolDescriptor } from "./descriptor.ts";
import { decodeText, encodeJson, type JsonValue, parseJson } from "./json.ts";
import { TOOL_BODY_BYTES_MAX } from "./limits.ts";
import { decodeMetadataAnswer, encodeMetadataRequest } from "./metadata_fetch.ts";
import {
  CODE_MISSING_TERMINAL,
  decodeToolEvent,
  isTerminal,
  type ToolEvent,
} from "./tool_event.ts";
import { TOOL_METADATA_SERVICE } from "./tool_facts.ts";

/**
 * Calls a tool that answers once.
 *
 * @throws RpcError whatever the call itself throws: `server_error` with the status `badRequest` when the
 * tool could not read the input, `handlerError` when it failed; NetError `failed` when its reply is no JSON.
 */
export async function callTool(
  rpc: Pick<Rpc, "call">,
  toolId: string,
  input: JsonValue,
  options: CallOptions = {},
): Promise<JsonValue> {
  const body = encodeJson(input, "tool input", TOOL_BODY_BYTES_MAX);
  const text = decodeText(await rpc.call(toolId, body, options), TOOL_BODY_BYTES_MAX);
  const output = text === undefined ? undefined : parseJson(text);
  if (output !== undefined) return output;
  throw new NetError("failed", `Cannot call tool "${toolId}": its reply is no JSON`, {
    next: "ask another node that offers it, see net tool show",
  });
}

/** Calls a tool that answers once, and gives its reply as the one event of a stream. */
export async function* callToolAsEvents(
  rpc: Pick<Rpc, "call">,
  toolId: string,
  input: JsonValue,
  options: CallOptions = {},
): AsyncGenerator<ToolEvent, void, undefined> {
  yield { kind: "result", data: await callTool(rpc, toolId, input, options) };
}

/**
 * Calls a tool that answers with events. The last event is `result` or `error`; where the tool sends
 * none it is an error with the code `missing_terminal`, and after it nothing is taken.
 *
 * @throws NetError `failed` when an event cannot be read; whatever the call itself throws.
 */
export async function* callStreamingTool(
  rpc: Pick<Rpc, "callStream">,
  toolId: string,
  input: JsonValue,
  options: CallOptions = {},
): AsyncGenerator<ToolEvent, void, undefined> {
  const body = encodeJson(input, "tool input", TOOL_BODY_BYTES_MAX);
  await using events = await rpc.callStream(toolId, body, options);
  for await (const bytes of events) {
    const decoded = decodeToolEvent(bytes);
    if (!decoded.ok) {
      throw new NetError(
        "failed",
        `Cannot call tool "${toolId}": an event is not readable (${decoded.fault})`,
        { next: "ask another node that offers it, see net tool show" },
      );
    }
    yield decoded.event;
    if (isTerminal(decoded.event)) return;
  }
  yield {
    kind: "error",
    code: CODE_MISSING_TERMINAL,
    message: "the tool ended its stream without a result",
  };
}

/**
 * The whole descriptor of a tool, from a node that offers it.
 *
 * @throws NetError `not_found` when the node has no such tool, `failed` when its answer makes no sense
 * or is about another tool.
 */
export async function fetchToolMetadata(
  rpc: Pick<Rpc, "call">,
  toolId: string,
  options: CallOptions,
): Promise<ToolDescriptor> {
  const action = `Cannot fetch the descriptor of "${toolId}"`;
  const reply = await rpc.call(TOOL_METADATA_SERVICE, encodeMetadataRequest(toolId), options);
  const decoded = decodeMetadataAnswer(reply);
  if (!decoded.ok) throw new NetError("failed", `${action}: the answer is ${decoded.fault}`);
  const { answer } = decoded;
  if (answer.kind === "not_found") {
    throw new NetError("not_found", `${action}: the node does not offer it`, {
      next: "see net tool ls for the tools there are",
    });
  }
  if (answer.descriptor.toolId === toolId) return answer.descriptor;
  throw new NetError("failed", `${action}: the answer is about another tool`);
}
