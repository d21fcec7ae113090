/** `net blob staging ls` and `abort`: puts that were interrupted and can be gone on with. */
import { buildCommand, buildRouteMap } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { timeText } from "./blob_common.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags } from "./flags.ts";
import { formatBytes, formatTable, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

const ANSWER_MS = 30_000;

const lsCommand = buildCommand<SharedFlags, [], NetContext>({
  docs: {
    brief: "List puts that were interrupted",
    fullDescription:
      "Lists puts that are not finished. A file is gone on with by putting it again, " +
      "a stream with net blob put - --resume STAGING. Each is forgotten when nobody comes back " +
      "for a day.\n\n" +
      "EXAMPLES\n  net blob staging ls\n  net blob staging ls --json",
  },
  parameters: { flags: bareRecord(SHARED_FLAGS) },
  async func(flags) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectOrOpen(this, flags, signal);
      try {
        const { stagings } = recordOf(await node.call("blob.staging_list", {}, { signal }));
        const list = listOf(stagings);
        output.result("blob.staging.ls", { stagings: list }, () => stagingTable(list));
      } finally {
        await node.close();
      }
    }, { timeoutMs: ANSWER_MS });
  },
});

const abortCommand = buildCommand<SharedFlags, [string], NetContext>({
  docs: {
    brief: "Drop an interrupted put and what was stored of it",
    fullDescription: "Drops a put that is not finished, and what was stored of it.\n\n" +
      "EXAMPLES\n  net blob staging abort 0f3c25a1b7d94e6688aa77c1d2e3f405",
  },
  parameters: {
    flags: bareRecord(SHARED_FLAGS),
    positional: {
      kind: "tuple",
      parameters: [{ parse: String, placeholder: "STAGING", brief: "Token, 32 hex digits" }],
    },
  },
  async func(flags, text) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const staging = parseStaging(text);
      const node = await connectOrOpen(this, flags, signal);
      try {
        const result = recordOf(await node.call("blob.staging_abort", { staging }, { signal }));
        if (result.aborted !== true) {
          throw new NetError("not_found", `Cannot abort put ${staging}: there is none`, {
            next: "see the tokens with net blob staging ls",
          });
        }
        output.result("blob.staging.abort", { ...result, staging }, () => staging);
      } finally {
        await node.close();
      }
    }, { timeoutMs: ANSWER_MS });
  },
});

/** The verbs. */
export const blobStagingRoutes = buildRouteMap<string, NetContext>({
  docs: { brief: "See and drop puts that were interrupted" },
  routes: bareRecord({ ls: lsCommand, abort: abortCommand }),
  aliases: bareRecord({ list: "ls" }),
});

/**
 * A token, checked.
 *
 * @throws NetError `usage` when it is none.
 */
export function parseStaging(text: string): string {
  const token = text.toLowerCase();
  if (/^[0-9a-f]{32}$/.test(token)) return token;
  throw new NetError("usage", `Cannot read token "${text.slice(0, 64)}": must be 32 hex digits`, {
    next: "see the tokens with net blob staging ls",
  });
}

function stagingTable(stagings: readonly unknown[]): string {
  if (stagings.length === 0) return "no interrupted puts";
  const rows = stagings.map(recordOf).map((staging) => [
    textOf(staging.staging),
    formatBytes(numberOf(staging.bytes) ?? 0),
    staging.open === true ? "open" : "kept",
    timeText(staging.expires_at),
    textOf(staging.path) || textOf(staging.label) || "-",
  ]);
  return formatTable([["STAGING", "BYTES", "STATE", "EXPIRES", "WHAT"], ...rows]);
}
