/**
 * Puts a capability set together for user code (`capabilities.md` 2, 3): plain tags and metadata are
 * checked for reserved names, typed setters replace all they wrote before.
 */
import { type CapabilitySet, createCapabilitySet } from "../capability_set.ts";
import { NetError } from "../../../base/mod.ts";
import { STEERING_METADATA_KEYS } from "../ingest.ts";
import {
  regionScopeTag,
  TAG_GLOBAL,
  TAG_SUBNET_LOCAL,
  tenantScopeTag,
} from "../tags/scope_tags.ts";
import { requireUserMetadataKey } from "../tags/metadata_keys.ts";
import { parseTag, type TagAxis } from "../tags/tag.ts";
import { meaningOfTag } from "../tags/tag_equality.ts";
import { parseUserTag } from "../tags/user_tag.ts";
import { type HardwareInput, hardwareTags, isHardwareKey } from "./hardware_view.ts";
import { isLimitsKey, limitsTags, type LimitsView } from "./limits_view.ts";
import { isModelKey, type ModelInput, modelTags } from "./model_view.ts";
import { isSoftwareKey, type SoftwareInput, softwareTags } from "./software_view.ts";
import {
  isToolKey,
  isToolMetadataKey,
  type ToolInput,
  toolMetadata,
  toolTags,
} from "./tool_view.ts";

/** Who may discover the node; all that is left out is not said. */
export interface ScopeInput {
  readonly tenants?: readonly string[];
  readonly regions?: readonly string[];
  readonly isSubnetLocal?: boolean;
  readonly isGlobal?: boolean;
}

/** Metadata that steers where work goes. */
export interface SteeringInput {
  readonly intent?: string;
  /** Hex of the chain to be near to. */
  readonly colocateWith?: string;
  /** Hex of the chain that must be there. */
  readonly colocateWithStrict?: string;
  readonly priority?: string;
  readonly owner?: string;
}

/**
 * A set in the making; every method gives the builder back.
 *
 * @example
 * ```ts
 * import { CapabilityBuilder } from "./capability_builder.ts";
 * const set = new CapabilityBuilder()
 *   .addTag("relay-capable")
 *   .setHardware({ memoryGb: 64, gpu: { vendor: "nvidia", vramGb: 24 } })
 *   .setScope({ tenants: ["acme"] })
 *   .build();
 * console.assert(set.tags.includes("hardware.gpu") && set.tags.includes("scope:tenant:acme"));
 * ```
 */
export class CapabilityBuilder {
  readonly #tags: Set<string>;
  readonly #metadata: Map<string, string>;

  /** @param base What to start from; kept as it is, reserved tags too. */
  constructor(base?: CapabilitySet) {
    this.#tags = new Set(base?.tags);
    this.#metadata = new Map(base?.metadata);
  }

  /**
   * Adds a tag; one that means the same is replaced.
   *
   * @throws NetError `usage` when a user may not write it.
   */
  addTag(text: string): this {
    parseUserTag(text);
    this.removeTag(text);
    this.#tags.add(text);
    return this;
  }

  /** {@linkcode CapabilityBuilder.addTag} for several. */
  addTags(texts: Iterable<string>): this {
    for (const text of texts) this.addTag(text);
    return this;
  }

  /** Takes away every tag of this meaning, reserved ones too. */
  removeTag(text: string): this {
    const meaning = meaningOfTag(text);
    this.#removeTags((tag) => meaningOfTag(tag) === meaning);
    return this;
  }

  /**
   * Sets an entry of the metadata.
   *
   * @throws NetError `usage` when a user may not choose the key.
   */
  setMetadata(key: string, value: string): this {
    requireUserMetadataKey(key);
    this.#metadata.set(key, value);
    return this;
  }

  /**
   * Takes an entry away.
   *
   * @throws NetError `usage` when a user may not choose the key.
   */
  removeMetadata(key: string): this {
    requireUserMetadataKey(key);
    this.#metadata.delete(key);
    return this;
  }

  /** Sets who may discover the node. */
  setScope(scope: ScopeInput): this {
    const tags = [
      ...(scope.tenants ?? []).map(tenantScopeTag),
      ...(scope.regions ?? []).map(regionScopeTag),
    ];
    if (scope.isSubnetLocal === true) tags.push(TAG_SUBNET_LOCAL);
    if (scope.isGlobal === true) tags.push(TAG_GLOBAL);
    this.#removeTags((tag) => tag.startsWith("scope:"));
    return this.#addAll(tags);
  }

  /** Sets what steers where work goes. */
  setSteering(steering: SteeringInput): this {
    for (const key of STEERING_METADATA_KEYS) this.#metadata.delete(key);
    const entries = [
      ["intent", steering.intent],
      ["colocate-with", steering.colocateWith],
      ["colocate-with-strict", steering.colocateWithStrict],
      ["priority", steering.priority],
      ["owner", steering.owner],
    ] as const;
    for (const [key, value = ""] of entries) if (value !== "") this.#metadata.set(key, value);
    return this;
  }

  /** Sets the hardware; errors as in `hardwareTags`. */
  setHardware(hardware: HardwareInput): this {
    return this.#replace("hardware", isHardwareKey, hardwareTags(hardware));
  }

  /** Sets the software; what cannot be written is left out, see `softwareTags`. */
  setSoftware(software: SoftwareInput): this {
    return this.#replace("software", isSoftwareKey, softwareTags(software));
  }

  /** Sets the models; errors as in `modelTags`. */
  setModels(models: readonly ModelInput[]): this {
    return this.#replace("software", isModelKey, modelTags(models));
  }

  /** Sets the tools with their descriptions; errors as in `toolTags` and `toolMetadata`. */
  setTools(tools: readonly ToolInput[]): this {
    const tags = toolTags(tools);
    const entries = toolMetadata(tools);
    for (const key of [...this.#metadata.keys()].filter(isToolMetadataKey)) {
      this.#metadata.delete(key);
    }
    for (const [key, value] of entries) this.#metadata.set(key, value);
    return this.#replace("software", isToolKey, tags);
  }

  /** Sets the limits of use; errors as in `limitsTags`. */
  setLimits(limits: Partial<LimitsView>): this {
    return this.#replace("hardware", isLimitsKey, limitsTags(limits));
  }

  /**
   * The set.
   *
   * @throws NetError `usage` when a text is no valid Unicode.
   */
  build(): CapabilitySet {
    try {
      return createCapabilitySet(this.#tags, this.#metadata);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new NetError("usage", error.message, { next: "repair the text", cause: error });
    }
  }

  #replace(axis: TagAxis, isOwned: (key: string) => boolean, tags: readonly string[]): this {
    this.#removeTags((text) => {
      const tag = parseTag(text);
      return tag !== undefined && "axis" in tag && tag.axis === axis && isOwned(tag.key);
    });
    return this.#addAll(tags);
  }

  #addAll(tags: Iterable<string>): this {
    for (const tag of tags) this.#tags.add(tag);
    return this;
  }

  #removeTags(isRemoved: (tag: string) => boolean): void {
    for (const tag of this.#tags) if (isRemoved(tag)) this.#tags.delete(tag);
  }
}
