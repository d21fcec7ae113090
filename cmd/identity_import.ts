/** `net identity import`: takes an identity in that was exported elsewhere. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import type { IdentityState } from "../src/core/crypto/mod.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, switchFlag } from "./flags.ts";
import {
  describeIdentity,
  identityPlace,
  identityText,
  NAME_ARGUMENT,
  openIdentity,
  whileIdle,
} from "./identity_place.ts";
import { readInput } from "./input.ts";
import { runVerb } from "./verb.ts";

/** An export is below 100 bytes. */
const EXPORT_BYTES_MAX = 1024;

interface IdentityImportFlags extends SharedFlags {
  readonly force?: boolean;
}

/** The verb. */
export const identityImportCommand = buildCommand<
  IdentityImportFlags,
  [string, string?],
  NetContext
>(
  {
    docs: {
      brief: "Take in an identity that was exported elsewhere",
      fullDescription:
        "Takes in an identity: 74 hex digits as net identity export writes them, 64 " +
        "for a seed alone, or the same bytes raw. The node's own can only be changed while the node " +
        "is stopped.\n\n" +
        "EXAMPLES\n  net identity import owner.key owner\n  net identity import - < owner.key",
    },
    parameters: {
      flags: bareRecord({
        force: switchFlag("Replace another identity, whose key is gone then"),
        ...SHARED_FLAGS,
      }),
      positional: {
        kind: "tuple",
        parameters: [
          { parse: String, placeholder: "FILE", brief: "Exported identity, - for standard input" },
          NAME_ARGUMENT,
        ],
      },
    },
    async func(flags, source, name) {
      await runVerb(this, flags, async ({ output }) => {
        const state = await readExport(this, source);
        const place = identityPlace(this, flags, name);
        const { importIdentity } = await import("../src/core/crypto/mod.ts");
        const isForced = flags.force ?? false;
        const outcome = await whileIdle(
          this,
          flags,
          place,
          () => importIdentity(place.path, state, { isForced }),
        );
        const fields = await describeIdentity(await openIdentity(this, flags, name, output));
        output.result("identity.import", { outcome, ...fields }, () => identityText(fields));
        if (outcome === "unchanged") output.note("this identity was here already");
      });
    },
  },
);

async function readExport(context: NetContext, source: string): Promise<IdentityState> {
  if (/^([0-9a-fA-F]{64}|[0-9a-fA-F]{74})$/.test(source)) {
    throw new NetError(
      "usage",
      "Cannot import identity: the secret itself was given, must be a file",
      {
        next:
          "keep it out of the command line, which others can see: give a file, or - to type it in",
      },
    );
  }
  const bytes = await readInput(context, source, {
    what: "identity",
    bytesMax: EXPORT_BYTES_MAX,
    next: "name the file that net identity export wrote, or - for standard input",
  });
  const where = source === "-" ? "standard input" : `"${source}"`;
  const { parseIdentityExport } = await import("../src/core/crypto/mod.ts");
  const state = parseIdentityExport(bytes);
  if (state !== undefined) return state;
  throw new NetError(
    "usage",
    `Cannot import identity from ${where}: it has ${bytes.length} bytes of other content, must be ` +
      "74 or 64 hex digits",
    { next: "export it again with net identity export --out FILE" },
  );
}
