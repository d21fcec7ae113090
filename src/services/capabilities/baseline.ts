/**
 * The operator's own words on what the node can do, and how they change (`capabilities.md` 6; promises C6
 * and O5). Tags that mean something to the mesh itself are not written by hand.
 */
import { equalBytes, NetError } from "../../base/mod.ts";
import {
  ALLOWED_MAX,
  type Announcement,
  createCapabilitySet,
  MODALITIES,
  parseUserTag,
  requireUserMetadataKey,
  STEERING_METADATA_KEYS,
  validateCapabilities,
  type ValidationError,
  verifyAnnouncement,
} from "../../core/capability/mod.ts";
import type { CapabilityFacts } from "./own_capabilities.ts";

/** What the operator says of the node; services add theirs. */
export interface CapabilityBaseline extends CapabilityFacts {
  readonly metadata: readonly (readonly [string, string])[];
  /** Who may call; all three empty means everybody. */
  readonly allowedNodes: readonly bigint[];
  /** 16 bytes each. */
  readonly allowedSubnets: readonly Uint8Array[];
  /** 32 bytes each. */
  readonly allowedGroups: readonly Uint8Array[];
  /** Version of the signed file these words came from; 0 when they came from the command line. */
  readonly policyVersion: bigint;
}

/** Says nothing, admits everybody. */
export const EMPTY_BASELINE: CapabilityBaseline = {
  tags: [],
  metadata: [],
  allowedNodes: [],
  allowedSubnets: [],
  allowedGroups: [],
  policyVersion: 0n,
};

/** Words to add or take away. */
export interface BaselineChange {
  /** `replace` starts from nothing. */
  readonly mode: "replace" | "add" | "remove";
  readonly tags: readonly string[];
  readonly metadata: readonly (readonly [string, string])[];
  readonly allowedNodes: readonly bigint[];
  readonly allowedSubnets: readonly Uint8Array[];
  readonly allowedGroups: readonly Uint8Array[];
}

/** Tags that come from what runs on a node; by hand they would promise what nobody serves. */
const SERVICE_PREFIXES = ["nrpc:", "net."] as const;

/** Reserved tags with a plain meaning, which the operator may use. */
const SCOPE = /^scope:(tenant:.+|region:.+|subnet-local|global)$/;

/**
 * Checks a tag that an operator wrote.
 *
 * @throws NetError `usage` for one that is empty or not a person's to write.
 */
export function requireOperatorTag(text: string): string {
  const service = SERVICE_PREFIXES.find((prefix) => text.startsWith(prefix));
  if (service !== undefined) {
    throw new NetError(
      "usage",
      `Cannot use tag "${text}": prefix ${service} belongs to services that run`,
      { next: "serve it on the node, which announces it then" },
    );
  }
  if (!SCOPE.test(text)) parseUserTag(text);
  return text;
}

/**
 * Checks a metadata entry that an operator wrote. What steers work is the operator's to say, on the own
 * node.
 *
 * @throws NetError `usage` for a name that is reserved.
 */
export function requireOperatorEntry(
  [key, value]: readonly [string, string],
): readonly [string, string] {
  if (!STEERING_METADATA_KEYS.has(key)) requireUserMetadataKey(key);
  return [key, value];
}

/**
 * The words after a change.
 *
 * @throws NetError `limit` for an allow-list that is too long.
 */
export function changeBaseline(
  before: CapabilityBaseline,
  change: BaselineChange,
): CapabilityBaseline {
  const old = change.mode === "replace" ? EMPTY_BASELINE : before;
  const isRemoval = change.mode === "remove";
  const merge = <T>(kept: readonly T[], given: readonly T[], keyOf: (item: T) => unknown): T[] => {
    const byKey = new Map(kept.map((item) => [keyOf(item), item]));
    for (const item of given) {
      if (isRemoval) byKey.delete(keyOf(item));
      else byKey.set(keyOf(item), item);
    }
    return [...byKey.values()];
  };
  const hex = (bytes: Uint8Array) => bytes.toHex();
  return {
    tags: merge(old.tags, change.tags, (tag) => tag),
    metadata: merge(old.metadata, change.metadata, ([key]) => key),
    allowedNodes: bounded(
      "allow-node",
      merge(old.allowedNodes, change.allowedNodes, (id) => id),
    ),
    allowedSubnets: bounded(
      "allow-subnet",
      merge(old.allowedSubnets, change.allowedSubnets, hex),
    ),
    allowedGroups: bounded("allow-group", merge(old.allowedGroups, change.allowedGroups, hex)),
    policyVersion: old.policyVersion,
  };
}

/**
 * The words of a signed file, for the node whose key signed it.
 *
 * @param entityId The node's own.
 * @throws NetError `not_allowed` when it is another node's, `integrity` when the signature is bad,
 * `conflict` when it is not newer than the one in force, `usage` for words that are not the operator's.
 */
export function policyBaseline(
  before: CapabilityBaseline,
  policy: Announcement,
  entityId: Uint8Array,
): CapabilityBaseline {
  const action = "Cannot apply policy";
  if (!equalBytes(policy.entityId, entityId)) {
    throw new NetError("not_allowed", `${action}: it speaks for another node`, {
      next: "sign it with this node's key: net cap announce --offline --out FILE",
    });
  }
  const forgery = verifyAnnouncement(policy);
  if (forgery !== undefined) {
    throw new NetError("integrity", `${action}: its signature is bad (${forgery})`, {
      next: "get the file again, or sign it again",
    });
  }
  if (policy.version <= before.policyVersion) {
    throw new NetError(
      "conflict",
      `${action}: its version is ${policy.version}, must be above ${before.policyVersion}`,
      { next: "sign it with a higher --version" },
    );
  }
  return {
    tags: policy.capabilities.tags.map(requireOperatorTag),
    metadata: [...policy.capabilities.metadata].map(requireOperatorEntry),
    allowedNodes: policy.allowedNodes,
    allowedSubnets: policy.allowedSubnets,
    allowedGroups: policy.allowedGroups,
    policyVersion: policy.version,
  };
}

/**
 * What others would not understand of the operator's words: mistakes are refused, what may be meant is
 * told.
 *
 * @returns Sentences for the operator.
 * @throws NetError `usage` for the first mistake.
 */
export function reviewBaseline({ tags, metadata }: CapabilityBaseline): readonly string[] {
  const { errors, warnings } = validateCapabilities(createCapabilitySet(tags, metadata));
  for (const error of errors) {
    throw new NetError("usage", `Cannot announce: ${describeMistake(error)}`, {
      next: "correct the tag, or choose a name of your own for it",
    });
  }
  return warnings.flatMap((warning) => {
    if (warning.kind === "unknown_key") {
      return [`nobody knows the property ${warning.axis}.${warning.key}; is it spelled right?`];
    }
    if (warning.kind !== "metadata_oversize") return [];
    return [`metadata is ${warning.actual_bytes} bytes, more than ${warning.soft_cap_bytes}`];
  });
}

function describeMistake(error: ValidationError): string {
  switch (error.kind) {
    case "type_mismatch":
      return `${error.axis}.${error.key} is ${
        JSON.stringify(error.actual)
      }, must be ${error.expected}`;
    case "index_malformed":
      return `index of "${error.tag}" is ${JSON.stringify(error.index)}, must be a number`;
    case "unknown_modality":
      return `modality of "${error.tag}" is "${error.modality}", must be one of ${
        MODALITIES.join(", ")
      }`;
  }
}

function bounded<T>(flag: string, list: readonly T[]): readonly T[] {
  if (list.length <= ALLOWED_MAX) return list;
  throw new NetError(
    "limit",
    `Cannot announce: --${flag} is given ${list.length} times, must be at most ${ALLOWED_MAX}`,
    { next: "put the callers into a group and allow that with --allow-group" },
  );
}
