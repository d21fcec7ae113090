/** `net cap announce --offline`: a signed file of capabilities, made without a node. */
import { resolve } from "node:path";
import { idToHex, NetError, parseId } from "../src/base/mod.ts";
import type { AnnounceFlags } from "./cap_announce.ts";
import { givenMetadata, givenTags } from "./cap_announce.ts";
import { identityPath } from "../src/config/mod.ts";
import { placeOf } from "./connect.ts";
import type { NetContext } from "./context.ts";
import { explainWrite } from "./input.ts";
import type { Output } from "./output.ts";

const U64_MAX = (1n << 64n) - 1n;
const U32_MAX = 0xffff_ffff;

/**
 * Signs what the flags say, and writes it.
 *
 * @throws NetError `not_found` without a key, `usage` for flags that don't go together or don't fit the
 * key.
 */
export async function signOffline(
  context: NetContext,
  flags: AnnounceFlags,
  output: Output,
): Promise<void> {
  const { createIdentity, readIdentityFile } = await import("../src/core/crypto/mod.ts");
  const { encodeAnnouncement, localAnnouncement } = await import("../src/core/capability/mod.ts");
  const {
    changeBaseline,
    EMPTY_BASELINE,
    readBaselineChange,
    reviewBaseline,
  } = await import("../src/services/mod.ts");
  const path = await keyPath(context, flags);
  const file = await readIdentityFile(path);
  if (file === undefined) {
    throw new NetError("not_found", `Cannot sign: there is no identity in "${path}"`, {
      next: "name a file or an identity with --key, see net identity ls",
    });
  }
  for (const warning of file.warnings) output.warn(warning);
  const identity = createIdentity(file.state.seed);
  confirmNodeId(flags.nodeId, identity.nodeId);
  const baseline = changeBaseline(
    EMPTY_BASELINE,
    readBaselineChange({
      mode: "replace",
      tags: givenTags(flags),
      metadata: givenMetadata(flags),
      allow_nodes: flags.allowNode ?? [],
      allow_subnets: flags.allowSubnet ?? [],
      allow_groups: flags.allowGroup ?? [],
    }),
  );
  for (const warning of reviewBaseline(baseline)) output.warn(warning);
  const announcement = localAnnouncement({
    identity,
    ...baseline,
    version: wholeFlag("--version", flags.version, 1n, U64_MAX),
    ttlSeconds: Number(wholeFlag("--ttl-secs", flags.ttlSecs, 300n, BigInt(U32_MAX))),
    wallMs: Date.now(),
  });
  const text = new TextDecoder().decode(encodeAnnouncement(announcement));
  if (flags.out === undefined) {
    // The signed file itself is the result, with --json as well.
    context.io.writeOut(`${text}\n`);
    return;
  }
  const target = resolve(context.io.cwd, flags.out);
  try {
    // It may name subnets and groups, which are secrets.
    await Deno.writeTextFile(target, `${text}\n`, { mode: 0o600 });
  } catch (error) {
    throw explainWrite(error, "Cannot write signed file", target);
  }
  const result = {
    file: target,
    node_id: idToHex(identity.nodeId),
    version: String(announcement.version),
  };
  output.result(
    "cap.announce.offline",
    result,
    () => `signed for ${result.node_id}, version ${result.version}: ${target}`,
  );
}

/** A word that is no file here may be the name of an identity. */
async function keyPath(context: NetContext, flags: AnnounceFlags): Promise<string> {
  if (flags.key !== undefined) {
    const path = resolve(context.io.cwd, flags.key);
    const isName = /^[A-Za-z0-9_-]{1,63}$/.test(flags.key) && !await isFile(path);
    return isName ? identityPath(flags.key, context.io.env, context.io.cwd) : path;
  }
  const { dataDir } = placeOf(context, flags);
  if (dataDir !== undefined) return `${dataDir}/identity.key`;
  throw new NetError("usage", "Cannot sign: there is no data folder to take the identity from", {
    next: "name the identity's file with --key FILE",
  });
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    // Absent or out of reach: either way there is no key to read.
    return false;
  }
}

/** The node id given is a confirmation only: it follows from the key. */
function confirmNodeId(text: string | undefined, nodeId: bigint): void {
  if (text === undefined || parseId(text) === nodeId) return;
  throw new NetError("usage", `Cannot sign for "${text}": the key is that of ${idToHex(nodeId)}`, {
    next: "leave --node-id out, or name the right key with --key",
  });
}

function wholeFlag(name: string, text: string | undefined, otherwise: bigint, max: bigint): bigint {
  if (text === undefined) return otherwise;
  if (/^[0-9]{1,20}$/.test(text) && BigInt(text) <= max) return BigInt(text);
  throw new NetError(
    "usage",
    `Cannot use ${name}: value is "${text}", must be a whole number up to ${max}`,
    {
      next: `write for example ${name} ${otherwise}`,
    },
  );
}
