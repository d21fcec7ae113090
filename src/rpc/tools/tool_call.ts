/**
 * Calling tools of other nodes (`capabilities.md` 15): once, or as a stream of events that always has a
 * last one.
 */
import { NetError } from "../../base/mod.ts";
import type { ToolDescriptor } from "./descriptor.ts";
import { decodeText, encodeJson, type JsonValue, parseJson } from "./json.ts";
import { TOOL_BODY_BYTES_MAX } from "./limits.ts";
import { decodeMetadataAnswer, encodeMetadataRequest } from "./metadata_fetch.ts";
import {
  type RpcCallOptions,
  type RpcPort,
  type RpcReply,
  STATUS_BAD_REQUEST,
  STATUS_OK,
} from "./rpc_port.ts";
import {
  CODE_MISSING_TERMINAL,
  decodeToolEvent,
  isTerminal,
  type ToolEvent,
} from "./tool_event.ts";
import { TOOL_METADATA_SERVICE } from "./tool_facts.ts";

/** Bytes of another node's words that an error repeats. */
const REASON_BYTES_MAX = 500;

/** Options of a call. */
export type CallToolOptions = RpcCallOptions;

/**
 * Calls a tool that answers once.
 *
 * @throws NetError `usage` when the tool could not read the input, `failed` when it failed or its reply
 * is no JSON; whatever the call itself throws.
 */
export async function callTool(
  rpc: Pick<RpcPort, "call">,
  toolId: string,
  input: JsonValue,
  options: CallToolOptions = {},
): Promise<JsonValue> {
  const body = encodeJson(input, "tool input", TOOL_BODY_BYTES_MAX);
  const reply = await rpc.call(toolId, body, options);
  refuseStatus(reply, `Cannot call tool "${toolId}"`);
  const text = decodeText(reply.body, TOOL_BODY_BYTES_MAX);
  const output = text === undefined ? undefined : parseJson(text);
  if (output !== undefined) return output;
  throw new NetError("failed", `Cannot call tool "${toolId}": its reply is no JSON`, {
    next: "ask another node that offers it, see net tool show",
  });
}

/** Calls a tool that answers once, and gives its reply as the one event of a stream. */
export async function* callToolAsEvents(
  rpc: Pick<RpcPort, "call">,
  toolId: string,
  input: JsonValue,
  options: CallToolOptions = {},
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
  rpc: Pick<RpcPort, "callStream">,
  toolId: string,
  input: JsonValue,
  options: CallToolOptions = {},
): AsyncGenerator<ToolEvent, void, undefined> {
  const body = encodeJson(input, "tool input", TOOL_BODY_BYTES_MAX);
  for await (const bytes of rpc.callStream(toolId, body, options)) {
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
  rpc: Pick<RpcPort, "call">,
  toolId: string,
  options: CallToolOptions,
): Promise<ToolDescriptor> {
  const action = `Cannot fetch the descriptor of "${toolId}"`;
  const reply = await rpc.call(TOOL_METADATA_SERVICE, encodeMetadataRequest(toolId), options);
  refuseStatus(reply, action);
  const decoded = decodeMetadataAnswer(reply.body);
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

function refuseStatus({ status, body }: RpcReply, action: string): void {
  if (status === STATUS_OK) return;
  const reason = decodeText(body.subarray(0, REASON_BYTES_MAX), REASON_BYTES_MAX) ?? "";
  throw new NetError(
    status === STATUS_BAD_REQUEST ? "usage" : "failed",
    `${action}: status is 0x${status.toString(16)}, must be 0: ${reason}`,
    { next: "see net tool show for what the tool takes", data: { status } },
  );
}
