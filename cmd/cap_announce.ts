/** `net cap announce`: says what this node can do, and whom it admits. */
import { buildCommand } from "@stricli/core";
import { NetError } from "../src/base/mod.ts";
import { capabilityText } from "./cap_show.ts";
import { connectNode } from "./connect.ts";
import type { NetContext } from "./context.ts";
import {
  bareRecord,
  listFlag,
  SHARED_FLAGS,
  type SharedFlags,
  switchFlag,
  textFlag,
} from "./flags.ts";
import { formatDuration, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { signOffline } from "./cap_sign.ts";
import { readInput } from "./input.ts";
import { runVerb } from "./verb.ts";

/** Values of the flags. */
export interface AnnounceFlags extends SharedFlags {
  readonly tag?: readonly string[];
  readonly meta?: readonly string[];
  readonly tenant?: readonly string[];
  readonly region?: readonly string[];
  readonly allowNode?: readonly string[];
  readonly allowSubnet?: readonly string[];
  readonly allowGroup?: readonly string[];
  readonly add?: boolean;
  readonly remove?: boolean;
  readonly clear?: boolean;
  readonly apply?: string;
  readonly offline?: boolean;
  readonly key?: string;
  readonly version?: string;
  readonly ttlSecs?: string;
  readonly nodeId?: string;
  readonly out?: string;
}

/** Largest file worth reading: a signed one is below 9 KB. */
const FILE_BYTES_MAX = 64 * 1024;

/** The verb. */
export const capAnnounceCommand = buildCommand<AnnounceFlags, [], NetContext>({
  docs: {
    brief: "Say what this node can do, and who may call it",
    fullDescription: "Says what the running node can do, beside what its services say by " +
      "themselves, and who may call it. What is given replaces what was said before, unless --add " +
      "or --remove is given; it stays in force over restarts. Peers hear of a change within " +
      "10 seconds.\n\n" +
      "Ids of subnets and groups are secrets: whoever knows one belongs. Give them as @FILE, with one " +
      "per line, or @- for standard input; what stands on a command line others can read.\n\n" +
      "With --offline nothing is changed: a signed file is written, which --apply puts into force " +
      "on the node whose key signed it.\n\n" +
      "EXAMPLES\n" +
      "  net cap announce --tag gpu --tag hardware.memory_gb=64 --region eu\n" +
      "  net cap announce --add --meta owner=ada\n" +
      "  net cap announce --add --allow-group @team.group\n" +
      "  net cap announce --remove --tag gpu\n" +
      "  net cap announce --clear\n" +
      "  net cap announce --offline --tag gpu --version 7 --out policy.json\n" +
      "  net cap announce --apply policy.json",
  },
  parameters: {
    flags: bareRecord({
      tag: listFlag("TAG", "A tag, such as gpu or hardware.memory_gb=64, or @FILE; repeatable"),
      meta: listFlag("KEY=VALUE", "A metadata entry; repeatable"),
      tenant: listFlag("NAME", "Found only by those who ask for this tenant; repeatable"),
      region: listFlag("NAME", "Found by those who ask for this region; repeatable"),
      allowNode: listFlag("NODEID", "A node that may call; repeatable"),
      allowSubnet: listFlag("HEX", "A subnet whose nodes may call, or @FILE; repeatable"),
      allowGroup: listFlag("HEX", "A group whose nodes may call, or @FILE; repeatable"),
      add: switchFlag("Add to what was said before"),
      remove: switchFlag("Take away from what was said before"),
      clear: switchFlag("Say nothing, admit everybody"),
      apply: textFlag("FILE", "Put a signed file into force; - for standard input"),
      offline: switchFlag("Write a signed file instead of changing a node"),
      key: textFlag(
        "FILE",
        "With --offline: identity to sign with, a file or a name; default: the node's own",
      ),
      version: textFlag("N", "With --offline: version, above the one in force; default: 1"),
      ttlSecs: textFlag("SECONDS", "With --offline: time to live; default: 300"),
      nodeId: textFlag("NODEID", "With --offline: the node id that the key must have"),
      out: textFlag("FILE", "With --offline: file to write; default: standard output"),
      ...SHARED_FLAGS,
    }),
  },
  async func(given) {
    await runVerb(this, given, async ({ output, signal }) => {
      requireOneKind(given);
      const flags = await readListFiles(this, given);
      if (flags.offline) return await signOffline(this, flags, output);
      const params = flags.apply === undefined ? announceParams(flags) : undefined;
      const policy = flags.apply === undefined ? undefined : await readWhole(this, flags.apply);
      const node = await connectNode(this, flags, signal);
      try {
        const result = recordOf(
          policy === undefined
            ? await node.call("cap.announce", params ?? {}, { signal })
            : await node.call("cap.apply", { announcement: policy }, { signal }),
        );
        output.result("cap.announce", result, () => capabilityText(result));
        for (const warning of listOf(result.warnings)) output.warn(textOf(warning));
        const toldInMs = numberOf(result.told_in_ms) ?? 0;
        if (toldInMs > 1_000) output.note(`peers hear of it in ${formatDuration(toldInMs)}`);
      } finally {
        await node.close();
      }
    });
  },
});

/** Tags as given by their own flag and by those of scopes. */
export function givenTags(flags: AnnounceFlags): string[] {
  return [
    ...flags.tag ?? [],
    ...(flags.tenant ?? []).map((name) => `scope:tenant:${name}`),
    ...(flags.region ?? []).map((name) => `scope:region:${name}`),
  ];
}

/**
 * Metadata entries as given.
 *
 * @throws NetError `usage` for one without `=`.
 */
export function givenMetadata(flags: AnnounceFlags): [string, string][] {
  return (flags.meta ?? []).map((text) => {
    const at = text.indexOf("=");
    if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
    throw new NetError("usage", `Cannot use --meta: value is "${text}", must be KEY=VALUE`, {
      next: "write for example --meta owner=ada",
    });
  });
}

function announceParams(flags: AnnounceFlags) {
  const params = {
    mode: flags.add ? "add" : flags.remove ? "remove" : "replace",
    tags: givenTags(flags),
    metadata: flags.remove ? removedMetadata(flags) : givenMetadata(flags),
    allow_nodes: flags.allowNode ?? [],
    allow_subnets: flags.allowSubnet ?? [],
    allow_groups: flags.allowGroup ?? [],
  };
  const isEmpty = Object.values(params).every((value) =>
    typeof value === "string" || value.length === 0
  );
  if (isEmpty !== (flags.clear ?? false)) {
    throw isEmpty
      ? new NetError("usage", "Cannot announce: nothing is given", {
        next: "give --tag or --meta, or --clear to say nothing",
      })
      : new NetError("usage", "Cannot combine --clear with something to say", {
        next: "leave --clear out: what is given replaces what was said",
      });
  }
  return params;
}

/** To take an entry away its key is enough. */
function removedMetadata(flags: AnnounceFlags): [string, string][] {
  return (flags.meta ?? []).map((text) => [text.split("=", 1)[0] ?? text, ""]);
}

function requireOneKind(flags: AnnounceFlags): void {
  const kinds = [
    flags.add ? "--add" : "",
    flags.remove ? "--remove" : "",
    flags.clear ? "--clear" : "",
    flags.apply === undefined ? "" : "--apply",
    flags.offline ? "--offline" : "",
  ].filter((name) => name !== "");
  if (kinds.length > 1) {
    throw new NetError("usage", `Cannot combine ${kinds.join(" and ")}`, {
      next: "give one of them",
    });
  }
  if (flags.offline) return;
  const offlineOnly = { key: flags.key, version: flags.version, ttlSecs: flags.ttlSecs };
  const given = Object.entries({ ...offlineOnly, nodeId: flags.nodeId, out: flags.out })
    .find(([, value]) => value !== undefined);
  if (given === undefined) return;
  const name = given[0].replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new NetError("usage", `Cannot use --${name} without --offline`, {
    next: "add --offline to write a signed file",
  });
}

/** The flags with the lines of the files that stand for tags and ids. */
async function readListFiles(context: NetContext, flags: AnnounceFlags): Promise<AnnounceFlags> {
  const linesOf = async (values: readonly string[] = []) => {
    const lists = values.map(async (value) => {
      if (!value.startsWith("@")) return [value];
      const lines = (await readWhole(context, value.slice(1))).split("\n");
      return lines.map((line) => line.trim()).filter((line) => line !== "");
    });
    return (await Promise.all(lists)).flat();
  };
  return {
    ...flags,
    tag: await linesOf(flags.tag),
    allowSubnet: await linesOf(flags.allowSubnet),
    allowGroup: await linesOf(flags.allowGroup),
  };
}

/** Text of a file, of standard input for `-`. */
async function readWhole(context: NetContext, source: string): Promise<string> {
  const bytes = await readInput(context, source, {
    what: "file",
    bytesMax: FILE_BYTES_MAX,
    next: "name a file that is there, or - for standard input",
  });
  return new TextDecoder().decode(bytes);
}
