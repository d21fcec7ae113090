/** What the tool verbs share: filters, and answers that come in pages. */
import type { NodeCaller } from "./doors.ts";
import { listFlag } from "./flags.ts";
import { listOf, recordOf } from "./format.ts";

/** Time the node has to answer. */
export const TOOL_ANSWER_MS = 30_000;

/** Tools of one listing; more than anyone reads, and a bound against a node that never ends. */
const TOOLS_MAX = 100_000;

/** Flags that choose tools. */
export interface ToolFilterFlags {
  readonly tag?: readonly string[];
  readonly tool?: readonly string[];
}

/** Declarations of the flags that choose tools. */
export const TOOL_FILTER_FLAGS = {
  tag: listFlag("TAG", "Only tools with this tag; repeat it for any of several"),
  tool: listFlag("ID", "Only this tool; repeat it for several"),
};

/** Parameters of a call, from the flags. */
export function filterParams({ tag = [], tool = [] }: ToolFilterFlags) {
  return { tags: tag, tools: tool };
}

/** All pages of a method's answer: the members `tools` and `incomplete` put together. */
export async function callPaged(
  node: NodeCaller,
  method: string,
  params: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<{ readonly tools: readonly unknown[]; readonly incomplete: readonly unknown[] }> {
  const tools: unknown[] = [];
  const incomplete: unknown[] = [];
  let cursor: unknown;
  do {
    const more = cursor === undefined ? {} : { cursor };
    const page = recordOf(await node.call(method, { ...params, ...more }, { signal }));
    tools.push(...listOf(page.tools));
    incomplete.push(...listOf(page.incomplete));
    cursor = page.next === cursor ? undefined : page.next ?? undefined;
  } while (cursor !== undefined && tools.length < TOOLS_MAX);
  return { tools, incomplete };
}
