/**
 * Repairs a tree from its own parity (`dataforts.md` 6): every lost chunk that the others of its stripe
 * give is written again.
 *
 * Parity chunks are repaired too: a stripe that lost them reads well today and is lost tomorrow. Memory is
 * a node of each level and the lost chunks of one stripe.
 */
import { NetError } from "../../base/mod.ts";
import type { TreeRef } from "../blob_ref.ts";
import type { LeafChunk, Stripe } from "../tree/tree_node.ts";
import { walkTreeNodes, type WalkTreeOptions } from "../tree/tree_walk.ts";
import { type ReadStripeOptions, restoreChunks } from "./restore.ts";

/** What a repair met and did. */
export interface RepairReport {
  /** All of erasure leaves. */
  stripesWalked: number;
  stripesAlreadyHealthy: number;
  /** Stripes that are whole again. */
  stripesRepaired: number;
  /** Data chunks written again. */
  chunksRestored: number;
  /** Parity chunks written again. */
  parityRestored: number;
  /** Stripes with fewer chunks than data; what is left of them is untouched. */
  stripesUnrecoverable: number;
  /** Stripes and leaves without parity, whose chunks only other nodes can give. */
  replicatedStripesSkipped: number;
  replicatedLeavesSkipped: number;
}

/** Options of {@linkcode repairTree}. */
export interface RepairTreeOptions extends WalkTreeOptions, ReadStripeOptions {
  /** Writes a chunk that was restored and verified. */
  readonly writeChunk: (chunk: LeafChunk, bytes: Uint8Array<ArrayBuffer>) => Promise<void>;
}

/** Nothing met yet; what a blob without a tree has. */
export function emptyRepairReport(): RepairReport {
  return {
    stripesWalked: 0,
    stripesAlreadyHealthy: 0,
    stripesRepaired: 0,
    chunksRestored: 0,
    parityRestored: 0,
    stripesUnrecoverable: 0,
    replicatedStripesSkipped: 0,
    replicatedLeavesSkipped: 0,
  };
}

/**
 * Reads every chunk of every stripe and writes the lost ones again.
 *
 * @throws NetError when a node of the tree is not there or refused; whatever the callbacks or the signal
 * throw.
 */
export async function repairTree(ref: TreeRef, options: RepairTreeOptions): Promise<RepairReport> {
  const report = emptyRepairReport();
  for await (const { node } of walkTreeNodes(ref, options)) {
    if (node.kind === "leaf") report.replicatedLeavesSkipped += 1;
    if (node.kind !== "erasure_leaf") continue;
    for (const stripe of node.stripes) await repairStripe(stripe, report, options);
  }
  return report;
}

/**
 * Repairs one stripe, as {@linkcode repairTree} does all of them.
 *
 * @param report What is counted there is counted here.
 */
export async function repairStripe(
  stripe: Stripe,
  report: RepairReport,
  options: RepairTreeOptions,
): Promise<void> {
  report.stripesWalked += 1;
  if (stripe.encoding.kind === "replicated") {
    report.replicatedStripesSkipped += 1;
    return;
  }
  const lost: number[] = [];
  for (const [index, chunk] of stripe.chunks.entries()) {
    options.signal?.throwIfAborted();
    const bytes = await options.readChunk(chunk);
    if (bytes?.length !== chunk.size) lost.push(index);
  }
  if (lost.length === 0) {
    report.stripesAlreadyHealthy += 1;
    return;
  }
  const restored = await restoreChunks(stripe, lost, options).catch((error: unknown) => {
    const isLost = error instanceof NetError &&
      (error.code === "not_found" || error.code === "integrity");
    if (isLost) return undefined;
    throw error;
  });
  if (restored === undefined) {
    report.stripesUnrecoverable += 1;
    return;
  }
  for (const [i, index] of lost.entries()) {
    const [chunk, bytes] = [stripe.chunks[index], restored[i]];
    if (chunk === undefined || bytes === undefined) continue;
    await options.writeChunk(chunk, bytes);
    if (chunk.parityIndex === undefined) report.chunksRestored += 1;
    else report.parityRestored += 1;
  }
  report.stripesRepaired += 1;
}
