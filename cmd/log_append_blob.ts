/** `net log append --blob`: stores a file and appends the reference to it. */
import { NetError } from "../src/base/mod.ts";
import { absolutePath } from "../src/config/mod.ts";
import { showProgress } from "./blob_common.ts";
import { readDurability } from "./blob_durability.ts";
import { connectNode, connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import type { NodeCaller } from "./doors.ts";
import type { SharedFlags } from "./flags.ts";
import { recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

/** Flags that matter here, and those of other ways to append. */
export interface AppendBlobFlags extends SharedFlags {
  readonly replicas?: string;
  readonly wait?: string;
  readonly token?: boolean;
  readonly whole?: boolean;
  readonly raw?: boolean;
  readonly hex?: boolean;
  readonly inline?: boolean;
  readonly batch?: string;
  readonly expect?: string;
}

/** Runs the verb. */
export async function appendBlob(
  context: NetContext,
  flags: AppendBlobFlags,
  channel: string,
  file: string,
  text: string | undefined,
): Promise<void> {
  await runVerb(context, flags, async ({ output, signal }) => {
    const { whole, raw, hex, inline, batch, expect } = flags;
    if ([text, whole, raw, hex, inline, batch, expect].some((given) => given !== undefined)) {
      throw new NetError("usage", "Cannot append blob: --blob stands alone", {
        next: "give neither TEXT nor flags of events with it",
      });
    }
    const { peers, waitMs } = readDurability({ replicas: flags.replicas, wait: flags.wait });
    const open = peers > 0 ? connectNode : connectOrOpen;
    const node = await open(context, flags, signal);
    try {
      const event = { file, channel, place: "log", peers } as const;
      const options = { waitMs, signal, isQuiet: output.isQuiet };
      const published = await putAndPublish(context, node, event, options);
      output.result("log.append.blob", published, () => {
        if (flags.token) return textOf(published.token);
        return `appended ${textOf(published.address)} as event ${
          textOf(published.seq)
        } to ${channel}`;
      });
    } finally {
      await node.close();
    }
  });
}

/** A blob to be an event. */
export interface BlobEvent {
  readonly file: string;
  readonly channel: string;
  readonly place: "log" | "channel";
  /** Other nodes that shall hold it before. */
  readonly peers: number;
  /** Parameters that let this node publish. */
  readonly token?: object;
}

/** Stores a file and publishes the reference to it; what the node answered, with the size. */
export async function putAndPublish(
  context: NetContext,
  node: NodeCaller,
  { file, channel, place, peers, token }: BlobEvent,
  options: { readonly waitMs: number; readonly signal: AbortSignal; readonly isQuiet: boolean },
): Promise<Readonly<Record<string, unknown>>> {
  const { waitMs, signal, isQuiet } = options;
  const { progress, onProgress } = showProgress(context, `put ${file}`, isQuiet);
  try {
    const path = absolutePath(file, context.io.cwd);
    const put = recordOf(await node.call("blob.put", { path }, { signal, onProgress }));
    const params = { target: textOf(put.address), channel, copies: peers, wait_ms: waitMs };
    const where = place === "log" ? {} : { place, ...token };
    const published = await node.call("blob.publish", { ...params, ...where }, { signal });
    return { ...recordOf(published), size: put.size };
  } finally {
    progress.end();
  }
}
