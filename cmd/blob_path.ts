/** `net blob path`: the nodes, the stripe and the chunk in which one byte of a blob lies. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { parseTarget, TARGET_ARGUMENT } from "./blob_common.ts";
import { connectOrOpen } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, textFlag } from "./flags.ts";
import { formatFields, listOf, recordOf, textOf } from "./format.ts";
import { runVerb } from "./verb.ts";

interface BlobPathFlags extends SharedFlags {
  readonly offset?: string;
}

const ANSWER_MS = 30_000;

/** The verb. */
export const blobPathCommand = buildCommand<BlobPathFlags, [string], NetContext>({
  docs: {
    brief: "Show in which chunk a byte of a blob lies, and the way to it",
    fullDescription:
      "Shows the nodes of the tree from the root to the leaf, the stripe, the chunk " +
      "and the place in it of one byte. The nodes must be here.\n\n" +
      "EXAMPLES\n  net blob path b3:ADDRESS --offset 1000000\n  net blob path b3:ADDRESS --json",
  },
  parameters: {
    flags: bareRecord({
      offset: textFlag("N", "Byte, from 0; default: 0"),
      ...SHARED_FLAGS,
    }),
    positional: { kind: "tuple", parameters: [TARGET_ARGUMENT] },
  },
  async func(flags, targetText) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const params = { target: parseTarget(targetText), offset: readOffset(flags.offset ?? "0") };
      const node = await connectOrOpen(this, flags, signal);
      try {
        const place = recordOf(await node.call("blob.path", params, { signal }));
        output.result("blob.path", place, () => formatFields(fieldsOf(place)));
      } finally {
        await node.close();
      }
    }, { timeoutMs: ANSWER_MS });
  },
});

function readOffset(text: string): number {
  const offset = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(offset)) return offset;
  throw new NetError("usage", `Cannot use --offset: value is "${text}", must be a byte from 0`, {
    next: "write for example --offset 1000000",
  });
}

function fieldsOf(place: Readonly<Record<string, unknown>>): [string, string][] {
  const fields: [string, string][] = listOf(place.manifest_path)
    .map((hash, depth) => [`node ${depth + 1}`, textOf(hash)]);
  fields.push(["listed in", textOf(place.leaf_kind)]);
  if (place.stripe_index !== null) {
    fields.push(["stripe", `${textOf(place.stripe_index)}, ${textOf(place.stripe_encoding)}`]);
  }
  fields.push(
    ["chunk", textOf(place.chunk_hash)],
    ["size", `${textOf(place.chunk_size)} bytes`],
    ["role", textOf(place.chunk_role)],
    ["byte", `${textOf(place.sub_offset)} of the chunk`],
  );
  return fields;
}
