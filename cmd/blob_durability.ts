/** How durable a put is to be, on the command line: the flags, what they mean, and the receipt. */
import { NetError } from "../src/base/mod.ts";
import type { NetContext } from "./context.ts";
import type { NodeCaller } from "./doors.ts";
import { durationFlag, textFlag } from "./flags.ts";
import { formatDuration, listOf, numberOf, recordOf, textOf } from "./format.ts";
import { createProgress } from "./progress.ts";

/** Values of the flags. */
export interface DurabilityFlags {
  readonly durability?: string;
  readonly replicas?: string;
  readonly wait?: string;
}

/** Declarations of the flags. */
export const DURABILITY_FLAGS = {
  durability: textFlag(
    "TIER",
    "best_effort, local (the default: synced here), or N: synced on N other nodes too",
  ),
  replicas: textFlag("N", "Same as --durability N: N other nodes hold it when this ends"),
  wait: textFlag("DURATION", "How long other nodes may take, such as 30s; default: 1m"),
};

/** What counts as stored. */
export interface Durability {
  /** False: what the operating system loses in a crash is lost. */
  readonly isSynced: boolean;
  /** Other nodes that shall hold it; 0 for none. */
  readonly peers: number;
  readonly waitMs: number;
}

const WAIT_MS = 60_000;
const PEERS_MAX = 254;

/**
 * Reads the flags.
 *
 * @throws NetError `usage` for a tier that there is not, and for two that differ.
 */
export function readDurability(flags: DurabilityFlags): Durability {
  const { durability, replicas } = flags;
  if (durability !== undefined && replicas !== undefined && durability !== replicas) {
    throw new NetError("usage", "Cannot use --durability and --replicas: they differ", {
      next: "give one of them",
    });
  }
  const tier = durability ?? replicas ?? "local";
  const isWord = replicas === undefined && (tier === "local" || tier === "best_effort");
  const peers = isWord ? 0 : Number(/^\d{1,3}$/.test(tier) ? tier : NaN);
  if (!isWord && !(peers >= 1 && peers <= PEERS_MAX)) {
    const name = durability === undefined ? "--replicas" : "--durability";
    const words = durability === undefined ? "" : "best_effort, local, or ";
    throw new NetError(
      "usage",
      `Cannot use ${name}: value is "${
        tier.slice(0, 40)
      }", must be ${words}a number of 1 to ${PEERS_MAX}`,
      { next: "write for example --replicas 2" },
    );
  }
  const waitMs = durationFlag("--wait", flags.wait);
  if (waitMs !== undefined && peers === 0) {
    throw new NetError("usage", "Cannot use --wait: nobody else is to hold it", {
      next: "say how many nodes with --replicas N",
    });
  }
  return { isSynced: tier !== "best_effort", peers, waitMs: waitMs ?? WAIT_MS };
}

/** Has other nodes take copies, and shows how far they are; the receipt. */
export async function replicate(
  context: NetContext,
  node: NodeCaller,
  params: { readonly target: string; readonly copies: number; readonly once?: boolean },
  options: { readonly waitMs: number; readonly signal: AbortSignal; readonly isQuiet: boolean },
): Promise<Readonly<Record<string, unknown>>> {
  const { waitMs, signal, isQuiet } = options;
  const progress = createProgress(context.io, { label: `copy to ${params.copies}`, isQuiet });
  try {
    const receipt = await node.call("blob.replicate", { ...params, wait_ms: waitMs }, {
      signal,
      onProgress: (report) => {
        const { done_bytes: doneBytes, total_bytes: totalBytes } = recordOf(report);
        progress.update(numberOf(doneBytes) ?? 0, numberOf(totalBytes));
      },
    });
    return recordOf(receipt);
  } finally {
    progress.end();
  }
}

/** One line about a receipt. */
export function receiptText(receipt: Readonly<Record<string, unknown>>): string {
  const nodes = listOf(receipt.holders).map(textOf).join(", ");
  const seconds = numberOf(receipt.seconds) ?? 0;
  const copies = numberOf(receipt.copies) ?? 0;
  const what = copies === 1 ? "1 other node holds" : `${copies} other nodes hold`;
  return `${what} every chunk, after ${formatDuration(seconds * 1000)}: ${nodes}`;
}
