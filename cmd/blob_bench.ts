/** `net blob bench`: what puts, gets and codecs make on this machine's store. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { parseSize } from "../src/config/mod.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, textFlag } from "./flags.ts";
import { formatTable, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

interface BlobBenchFlags extends SharedFlags {
  readonly size?: string;
}

const MIB = 1024 * 1024;
const SIZE_MAX = 4_096 * MIB;

/** The verb. */
export const blobBenchCommand = buildCommand<BlobBenchFlags, [], NetContext>({
  docs: {
    brief: "Measure puts, gets and codecs on this machine's store",
    fullDescription:
      "Puts random bytes into the store in three forms, reads them back, removes them, " +
      "and runs the codecs alone. Rates are 10^6 bytes of payload a second; what else the machine " +
      "does meanwhile is in them, and a read finds its bytes in the system's cache. See docs/bench.md.\n\n" +
      "EXAMPLES\n  net blob bench\n  net blob bench --size 1G --json",
  },
  parameters: {
    flags: bareRecord({
      size: textFlag("SIZE", "Size of each put, such as 64M; default: 256M"),
      ...SHARED_FLAGS,
    }),
  },
  async func(flags) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const params = flags.size === undefined ? {} : { size: sizeOf(flags.size) };
      const node = await connectOrOpen(this, flags, signal);
      try {
        const result = recordOf(await node.call("blob.bench", params, { signal }));
        output.result("blob.bench", result, () => {
          const rows = listOf(result.rates).map(recordOf).map((rate) => [
            textOf(rate.name),
            String(numberOf(rate.mb_s) ?? ""),
          ]);
          return formatTable([["STEP", "MB/S"], ...rows]);
        });
      } finally {
        await node.close();
      }
    });
  },
});

function sizeOf(text: string): number {
  const bytes = parseSize(text);
  if (bytes !== undefined && bytes >= MIB && bytes <= SIZE_MAX) return bytes;
  throw new NetError(
    "usage",
    `Cannot use --size: value is "${text.slice(0, 40)}", must be 1M to 4G`,
    { next: "write for example --size 256M" },
  );
}
