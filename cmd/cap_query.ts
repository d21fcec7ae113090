/** What verbs that look for nodes ask for: the flags they share, and the query as the node takes it. */
import { NetError } from "../src/base/mod.ts";
import { choiceFlag, listFlag, type SharedFlags, switchFlag, textFlag } from "./flags.ts";

const GPU_VENDORS = ["nvidia", "amd", "intel", "apple", "qualcomm", "unknown"] as const;
const MODALITIES = ["text", "image", "audio", "video", "code", "embedding", "tool_use"] as const;

/** Values of the flags. */
export interface QueryFlags extends SharedFlags {
  readonly where?: string;
  readonly model?: readonly string[];
  readonly tool?: readonly string[];
  readonly modality?: readonly (typeof MODALITIES)[number][];
  readonly minMemory?: string;
  readonly minVram?: string;
  readonly minContext?: string;
  readonly gpu?: boolean;
  readonly gpuVendor?: (typeof GPU_VENDORS)[number];
  readonly tenant?: readonly string[];
  readonly region?: readonly string[];
  readonly globalOnly?: boolean;
  readonly sameSubnet?: boolean;
  readonly fresh?: boolean;
}

/** Declarations of the flags. */
export const QUERY_FLAGS = {
  where: textFlag("EXPR", "A predicate, such as 'hardware.memory_gb>=32 && !meta.draining'"),
  model: listFlag("ID", "Has one of these models; repeatable"),
  tool: listFlag("ID", "Has one of these tools; repeatable"),
  modality: {
    ...choiceFlag(MODALITIES, "Has a model for each of these; repeatable"),
    variadic: true,
  },
  minMemory: textFlag("GB", "Has so much memory"),
  minVram: textFlag("GB", "Has so much memory on its GPUs"),
  minContext: textFlag("TOKENS", "Has a model with a context so long"),
  gpu: switchFlag("Has a GPU: says hardware.gpu"),
  gpuVendor: choiceFlag(GPU_VENDORS, "Has a GPU of this maker"),
  tenant: listFlag("NAME", "Of one of these tenants, or of none; repeatable"),
  region: listFlag("NAME", "Of one of these regions, or of none; repeatable"),
  globalOnly: switchFlag("Of no tenant and no region"),
  sameSubnet: switchFlag("Of this node's own subnet"),
  fresh: switchFlag("Heard of since this node started"),
} as const;

/** The argument of all that is asked for without a flag. */
export const REQUIRED_ARGUMENT = {
  kind: "array",
  parameter: {
    parse: String,
    placeholder: "TAG",
    brief: "A tag, or axis.key==value, axis.key>=n, axis.key<=n; all must hold",
  },
} as const;

/**
 * The query of flags and arguments, as `cap.find` takes it.
 *
 * @throws NetError `usage` for a number that is none, and for a word that is meant as a comparison and
 * would be a tag.
 */
export function toQuery(flags: QueryFlags, required: readonly string[]) {
  for (const word of required) refuseMistake(word);
  return {
    required,
    where: flags.where,
    models: flags.model,
    tools: flags.tool,
    modalities: flags.modality,
    min_memory_gb: numberFlag("--min-memory", flags.minMemory),
    min_vram_gb: numberFlag("--min-vram", flags.minVram),
    min_context_length: numberFlag("--min-context", flags.minContext),
    gpu: flags.gpu,
    gpu_vendor: flags.gpuVendor,
    tenants: flags.tenant,
    regions: flags.region,
    global_only: flags.globalOnly,
    same_subnet: flags.sameSubnet,
    fresh: flags.fresh,
  };
}

/** Comparisons that there are not: taken for tags they would find nothing, and nobody would know why. */
const MISTAKE = /^([a-z0-9_.:-]*[a-z0-9_])(=>|=<|!=|<|>)([^=<>\s]+)$/;

function refuseMistake(word: string): void {
  if (word === "") {
    throw new NetError("usage", 'Cannot ask for "": it is empty', {
      next: "write a tag such as gpu, or nothing at all to list every node",
    });
  }
  const [, key = "", sign = "", value = ""] = MISTAKE.exec(word) ?? [];
  if (sign === "") return;
  const meant = sign === "!="
    ? `--where '${key}!=${value}'`
    : `'${key}${sign.includes(">") ? ">=" : "<="}${value}'`;
  throw new NetError("usage", `Cannot ask for "${word}": ${sign} is no comparison`, {
    next: `write ${meant}`,
  });
}

function numberFlag(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[0-9]{1,15}(\.[0-9]+)?$/.test(text)) return Number(text);
  throw new NetError("usage", `Cannot use ${name}: value is "${text}", must be a number`, {
    next: `write for example ${name} 32`,
  });
}
