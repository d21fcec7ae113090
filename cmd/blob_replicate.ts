/** `net blob replicate`: has other nodes take copies of a blob, and keeps their number. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { parseTarget } from "./blob_common.ts";
import { readDurability, receiptText, replicate } from "./blob_durability.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import {
  bareRecord,
  hiddenTextFlag,
  oneSpelling,
  SHARED_FLAGS,
  type SharedFlags,
  switchFlag,
  textFlag,
} from "./flags.ts";
import { recordOf } from "./format.ts";
import { runVerb } from "./verb.ts";

/** Values of its flags. */
interface ReplicateFlags extends SharedFlags {
  readonly copies?: string;
  readonly replicas?: string;
  readonly wait?: string;
  readonly once?: boolean;
  readonly forget?: boolean;
}

/** The verb. */
export const blobReplicateCommand = buildCommand<ReplicateFlags, [string], NetContext>({
  docs: {
    brief: "Have other nodes take copies of a blob, and keep their number",
    fullDescription: "Has N other nodes take a copy of a blob that is here, and ends when each " +
      "has fetched, verified and synced every chunk. From then on the nodes see to it that there " +
      "are so many: when one is gone for long, another one takes its place. With --once they do " +
      "not; with --forget they stop, and the copies stay.\n\n" +
      "EXAMPLES\n  net blob replicate b3:ADDRESS --copies 2\n" +
      "  net blob replicate b3:ADDRESS --copies 3 --wait 5m --json\n" +
      "  net blob replicate b3:ADDRESS --forget",
  },
  parameters: {
    flags: bareRecord({
      copies: textFlag("N", "Other nodes that shall have it"),
      replicas: hiddenTextFlag("N", "Same as --copies"),
      wait: textFlag("DURATION", "How long they may take, such as 30s; default: 1m"),
      once: switchFlag("Do not see to it afterwards"),
      forget: switchFlag("See to it no more"),
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "tuple",
      parameters: [
        { parse: String, placeholder: "TARGET", brief: "Address (b3:…) or blob reference in hex" },
      ],
    },
  },
  async func(flags, targetText) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const target = parseTarget(targetText);
      const { forget = false, once } = flags;
      const copies = oneSpelling({ "--copies": flags.copies, "--replicas": flags.replicas });
      if (forget === (copies !== undefined)) {
        throw new NetError("usage", "Cannot replicate: say either --copies N or --forget", {
          next: "write for example --copies 2",
        });
      }
      const { peers, waitMs } = readDurability({ replicas: copies, wait: flags.wait });
      const node = await connectNode(this, flags, signal);
      try {
        if (forget) {
          const answer = recordOf(await node.call("blob.replicas_forget", { target }, { signal }));
          output.result(
            "blob.replicate",
            answer,
            () =>
              answer.forgotten === true
                ? "its copies are not counted any more"
                : "its copies were not counted",
          );
          return;
        }
        const options = { waitMs, signal, isQuiet: output.isQuiet };
        const receipt = await replicate(this, node, {
          target,
          copies: peers,
          ...(once ? { once } : {}),
        }, options);
        output.result("blob.replicate", receipt, () => receiptText(receipt));
      } finally {
        await node.close();
      }
    });
  },
});
