/** `net node http`: where the running node serves objects, and the secret to write them with. */
import { buildCommand } from "@stricli/core";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, switchFlag } from "./flags.ts";
import { formatFields, recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

/** Time a running node has to answer. */
const ANSWER_MS = 10_000;

interface NodeHttpFlags extends SharedFlags {
  readonly showSecret?: boolean;
}

/** The verb. */
export const nodeHttpCommand = buildCommand<NodeHttpFlags, [], NetContext>({
  docs: {
    brief: "Show where the node serves objects over HTTP",
    fullDescription: "Shows where the node serves objects, health and metrics over HTTP; with " +
      "--quiet the address alone. With --show-secret it prints the secret that writes need. " +
      "Whoever has it can fill the node's store.\n\n" +
      'EXAMPLES\n  net node http\n  curl "$(net node http --quiet)/readyz"\n' +
      '  curl -T photo.jpg -H "Authorization: Bearer $(net node http --show-secret --quiet)" \\\n' +
      "    http://127.0.0.1:8090/o",
  },
  parameters: {
    flags: bareRecord({
      showSecret: switchFlag("Print the secret, alone on standard output"),
      ...SHARED_FLAGS,
    }),
  },
  async func(flags) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const node = await connectNode(this, flags, signal);
      try {
        const isSecret = flags.showSecret === true;
        const result = recordOf(await node.call("node.http", { secret: isSecret }, { signal }));
        output.result("node.http", result, () => {
          if (isSecret) return textOf(result.secret);
          if (flags.quiet) return textOf(result.url);
          return formatFields([
            ["address", textOf(result.url)],
            ["writes", writesText(textOf(result.write))],
          ]);
        });
        if (isSecret) {
          output.note("whoever has this secret can store objects: pass it on like a password");
        }
      } finally {
        await node.close();
      }
    }, { timeoutMs: ANSWER_MS });
  },
});

function writesText(mode: string): string {
  if (mode === "off") return "nobody";
  if (mode === "loopback") return "everybody of this machine";
  return "with the secret: net node http --show-secret";
}
