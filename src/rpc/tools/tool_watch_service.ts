/**
 * `tool.watch`: changes of the tools that a node knows, told to another (`capabilities.md` 15).
 *
 * The serving side works a change out when the stream has room for it, so it never loses one and never
 * has to say `resync`; the watching side understands it all the same.
 */
import { NetError } from "../../base/mod.ts";
import type { CallOptions, Rpc, ServeHandle, StreamHandler } from "../types.ts";
import {
  decodeToolWatchFrame,
  encodeToolWatchFrame,
  TOOL_WATCH_SERVICE,
  type ToolWatchFrame,
} from "./tool_watch_frame.ts";
import { watchTools, type WatchToolsDeps } from "./watch_tools.ts";

/** Serves `tool.watch` from now on. */
export function serveToolWatch(
  rpc: Pick<Rpc, "serveStream">,
  deps: WatchToolsDeps,
): ServeHandle {
  const handler: StreamHandler = async function* (_body, { signal }) {
    for await (const change of watchTools(deps, { signal })) yield encodeToolWatchFrame(change);
  };
  return rpc.serveStream(TOOL_WATCH_SERVICE, handler, { isOpenEnded: true });
}

/**
 * Changes of the tools that another node knows, those up to what there is now first.
 *
 * @throws NetError `failed` when a frame cannot be read; whatever the call itself throws.
 */
export async function* followToolWatch(
  rpc: Pick<Rpc, "callStream">,
  options: CallOptions,
): AsyncGenerator<ToolWatchFrame, void, undefined> {
  await using frames = await rpc.callStream(TOOL_WATCH_SERVICE, new Uint8Array(0), options);
  for await (const bytes of frames) {
    const decoded = decodeToolWatchFrame(bytes);
    if (!decoded.ok) {
      throw new NetError(
        "failed",
        `Cannot watch tools: a frame is not readable (${decoded.fault})`,
        {
          next: "watch another node, see net node peers",
        },
      );
    }
    yield decoded.frame;
  }
}
