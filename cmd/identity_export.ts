/** `net identity export`: an identity's secret, for a backup or another machine. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { absolutePath } from "../src/config/mod.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, switchFlag, textFlag } from "./flags.ts";
import { describeIdentity, NAME_ARGUMENT, openIdentity } from "./identity_place.ts";
import { explainWrite } from "./input.ts";
import { runVerb } from "./verb.ts";

interface IdentityExportFlags extends SharedFlags {
  readonly out?: string;
  readonly showSecret?: boolean;
}

/** The verb. */
export const identityExportCommand = buildCommand<IdentityExportFlags, [string?], NetContext>({
  docs: {
    brief: "Write an identity with its secret to a new file",
    fullDescription: "Writes seed and generation of an identity, as 74 hex digits, to a new file " +
      "that only you can read, or prints them when told to. Whoever has them is this identity.\n\n" +
      "EXAMPLES\n  net identity export owner --out /media/key/owner.key\n" +
      "  net identity export --show-secret",
  },
  parameters: {
    flags: bareRecord({
      out: textFlag("FILE", "File to make; it must not exist"),
      showSecret: switchFlag("Print the secret on standard output"),
      ...SHARED_FLAGS,
    }),
    positional: { kind: "tuple", parameters: [NAME_ARGUMENT] },
  },
  async func(flags, name) {
    await runVerb(this, flags, async ({ output }) => {
      if ((flags.out === undefined) === !flags.showSecret) {
        throw new NetError("usage", "Cannot export: give one of --out and --show-secret", {
          next: "write the secret to a file with --out FILE, or print it with --show-secret",
        });
      }
      const identity = await openIdentity(this, flags, name, output);
      const { createOwnerFile, encodeIdentityState } = await import("../src/core/crypto/mod.ts");
      const secret = encodeIdentityState(identity.state).toHex();
      const fields = await describeIdentity(identity);
      if (flags.out === undefined) {
        output.result("identity.export", { ...fields, state: secret }, () => secret);
        return;
      }
      const out = absolutePath(flags.out, this.io.cwd);
      let isNew: boolean;
      try {
        isNew = await createOwnerFile(out, `${secret}\n`);
      } catch (error) {
        throw explainWrite(error, "Cannot export", out);
      }
      if (!isNew) {
        throw new NetError("conflict", `Cannot export: "${out}" exists`, {
          next: "choose another file with --out",
        });
      }
      output.result("identity.export", { ...fields, out }, () => `exported to ${out}`);
      output.note("whoever has this file is the identity: keep it as you would a password");
    });
  },
});
