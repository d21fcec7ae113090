/** Methods that look after logs: verify, compact, repair, remove. */
import * as v from "../../schema/mod.ts";
import { NetError } from "../../base/mod.ts";
import { CHANNEL_NAME_BYTES_MAX } from "../../core/crypto/mod.ts";
import type { CallContext } from "../method.ts";
import { defineMethod, type Method } from "../method.ts";
import type { LogNode } from "./log_methods.ts";
import { describeFolder, describeLog } from "./log_view.ts";

const NAME = v.pipe(v.string(), v.minLength(1), v.maxLength(CHANNEL_NAME_BYTES_MAX));

/** The methods that look after logs. */
export function logCareMethods(node: LogNode): readonly Method[] {
  return [
    defineMethod({
      name: "log.verify",
      access: "privileged",
      summary: "Read all of a log and say what of it is damaged",
      isReadOnly: true,
      params: v.object({ channel: NAME }),
      handle: async ({ channel }, context) => {
        const { logs } = node;
        const verdict = await logs.verify(channel, {
          signal: AbortSignal.any([context.signal, logs.stopSignal]),
          onProgress: reporter(context),
        });
        return {
          ...describeLog(verdict.stat, await logs.rulesOf(channel)),
          read_events: verdict.events,
          read_bytes: verdict.bytes,
          damaged_ranges: verdict.damaged.map(({ from, to }) => ({
            from: Number(from),
            to: Number(to),
          })),
          intact: verdict.damaged.length === 0 && verdict.stat.damaged === 0,
        };
      },
    }),
    defineMethod({
      name: "log.compact",
      access: "privileged",
      summary: "Run retention and write a log anew without what is gone or damaged",
      isReadOnly: false,
      params: v.object({ channel: NAME }),
      handle: async ({ channel }, context) => {
        const { swept, before, after } = await node.logs.compact(channel, reporter(context));
        return {
          ...describeLog(after, await node.logs.rulesOf(channel)),
          swept_events: swept,
          bytes_before: before.bytes,
        };
      },
    }),
    defineMethod({
      name: "log.repair",
      access: "privileged",
      summary: "Take what is damaged or torn out of a log on disk",
      isReadOnly: false,
      params: v.object({ channel: NAME, keep_taken: v.optional(v.boolean(), true) }),
      handle: async ({ channel, keep_taken: isKeepingTaken }, context) => {
        const { before, after, taken } = await node.logs.repair(channel, {
          isKeepingTaken,
          onProgress: reporter(context),
        });
        return {
          channel,
          before: describeFolder(before),
          after: describeFolder(after),
          taken: taken ?? null,
        };
      },
    }),
    defineMethod({
      name: "log.remove",
      access: "privileged",
      summary: "Remove a log and all that is in it",
      isReadOnly: false,
      params: v.object({ channel: NAME }),
      handle: async ({ channel }) => {
        if (await node.logs.remove(channel)) return { removed: channel };
        throw new NetError("not_found", `Cannot remove log "${channel}": it is not there`, {
          next: "see net log ls for those that are",
        });
      },
    }),
  ];
}

function reporter(context: CallContext): (doneBytes: number, totalBytes: number) => void {
  return (doneBytes, totalBytes) => {
    context.progress({ done_bytes: doneBytes, total_bytes: totalBytes });
  };
}
