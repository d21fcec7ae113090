/** `net lookup NAME`: where a member or a capability is found on this machine (`validation.md` 3.4). */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import type { Candidate } from "../src/deploy/mod.ts";
import type { NetContext } from "./context.ts";
import { bareRecord, SHARED_FLAGS, type SharedFlags, textFlag } from "./flags.ts";
import { formatTable, textOf } from "./format.ts";
import { deployModule, toolkitFolder, warnOfPorts } from "./member_common.ts";
import { runVerb } from "./verb.ts";

/** Time for every place together; each has 2 s of its own. */
const LOOKUP_MS = 30_000;

const EXIT_NOT_FOUND = 4;
const EXIT_NOT_REACHABLE = 6;

interface LookupFlags extends SharedFlags {
  readonly toolkit?: string;
}

/** The verb. */
export const lookupCommand = buildCommand<LookupFlags, [string], NetContext>({
  docs: {
    brief: "Show where a member or a capability is found, and why there",
    fullDescription: "Shows where a member of this machine is found by its name or by what it " +
      "can do, and every place that was looked at before. The exit code is 0 when it lives, 6 " +
      "when something is there that does not answer, 4 when nothing is.\n\n" +
      "EXAMPLES\n  net lookup storage\n  net lookup net --json",
  },
  parameters: {
    flags: bareRecord({
      toolkit: textFlag("DIR", "Folder whose manifest.lock and ports.env are used"),
      ...SHARED_FLAGS,
    }),
    positional: {
      kind: "tuple",
      parameters: [{ parse: String, placeholder: "NAME", brief: "Member or capability" }],
    },
  },
  async func(flags, name) {
    await runVerb(this, flags, async ({ output, signal }) => {
      const { addressText, isMemberName, MemberLookup, readRegistry, requireMemberName } =
        await deployModule();
      const [domain = "", method] = name.split(".");
      if (method !== undefined && isMemberName(domain)) {
        throw new NetError("usage", `Cannot look up ${textOf(name)}: it is the name of a method`, {
          next: `look up the capability it belongs to: net lookup ${domain}`,
        });
      }
      requireMemberName(name, "NAME");
      const registry = await readRegistry(await toolkitFolder(this, flags.toolkit));
      warnOfPorts(output, registry.ports.warnings);
      const lookup = new MemberLookup({ env: this.io.env, family: flags.family, registry });
      const result = await lookup.find(name, signal);
      const endpoint = result.address === undefined ? null : addressText(result.address);
      const places = result.candidates.map((candidate) => ({
        source: candidate.source,
        place: candidate.text,
        state: candidate.state,
        reason: candidate.reason ?? null,
      }));
      const { source = null, isLive: live } = result;
      output.result(
        "lookup",
        { name, endpoint, source, live, places },
        () => lookupText(name, endpoint, live, result.candidates),
      );
      return live ? 0 : endpoint === null ? EXIT_NOT_FOUND : EXIT_NOT_REACHABLE;
    }, { timeoutMs: LOOKUP_MS });
  },
});

function lookupText(
  name: string,
  endpoint: string | null,
  isLive: boolean,
  candidates: readonly Candidate[],
): string {
  const head = endpoint === null
    ? `${name} was not found`
    : `${name} is at ${textOf(endpoint)}${isLive ? "" : ", but does not answer"}`;
  const rows = candidates.map(({ source, state, text, reason }) => [
    `  ${state}`,
    source,
    textOf(text),
    reason ?? "",
  ]);
  return rows.length === 0 ? head : `${head}\n${formatTable(rows)}`;
}
