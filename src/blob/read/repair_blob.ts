/**
 * Makes a blob whole again (`dataforts.md` 6, `promises.md` 52): what parity here can give is written again,
 * then what other nodes have is fetched.
 */
import { NetError, toHex } from "../../base/mod.ts";
import type { BlobRef, ChunkRef } from "../blob_ref.ts";
import {
  emptyRepairReport,
  type RepairReport,
  repairStripe,
  type RepairTreeOptions,
} from "../erasure/repair.ts";
import type { Stripe } from "../tree/tree_node.ts";
import { walkTreeNodes } from "../tree/tree_walk.ts";
import { StepTurns, type WorkPool } from "../work/mod.ts";
import type { ChunkReader } from "./chunk_reader.ts";

/** What a repair did. */
export interface BlobRepairReport extends RepairReport {
  /** Chunks and nodes that came from other nodes. */
  chunksFetched: number;
  /** Chunks that are still missing. */
  chunksMissing: number;
}

/** Options of {@linkcode repairBlob}. */
export interface RepairBlobOptions {
  /** What is here, verified. */
  readonly near: ChunkReader;
  /** Other nodes, which keeps what it gives; `undefined` where there are none. */
  readonly far?: ChunkReader;
  /** Stores a chunk that was restored; durable when it resolves. */
  readonly store: (hash: Uint8Array, bytes: Uint8Array) => Promise<unknown>;
  /** Only stripes with one of these chunks, by hash in hex; everything when left out. */
  readonly lost?: ReadonlySet<string>;
  readonly work?: WorkPool;
  /** Told the bytes of payload that were looked at. */
  readonly onBytes?: (doneBytes: number) => void;
  readonly signal?: AbortSignal;
}

/** Nothing met and nothing done. */
export function emptyBlobRepairReport(): BlobRepairReport {
  return { ...emptyRepairReport(), chunksFetched: 0, chunksMissing: 0 };
}

/** Adds up what several repairs did. */
export function addRepairReports(total: BlobRepairReport, report: BlobRepairReport): void {
  const counts: Record<string, number> = { ...total };
  for (const [name, count] of Object.entries(report)) counts[name] = (counts[name] ?? 0) + count;
  Object.assign(total, counts);
}

/**
 * Looks at every chunk of a blob and mends what it can. One that is fetched stays although the repair is
 * stopped.
 *
 * @throws NetError when a node of the tree is nowhere; what `store`, the readers or the signal throw.
 */
export async function repairBlob(
  ref: BlobRef,
  options: RepairBlobOptions,
): Promise<BlobRepairReport> {
  const repair = new BlobRepair(options);
  if (ref.kind === "small") await repair.ensure([{ hash: ref.hash, size: ref.size }]);
  else if (ref.kind === "manifest") await repair.ensure(ref.chunks);
  else {
    const readNode = (hash: Uint8Array) => repair.readNode(hash);
    for await (const { node } of walkTreeNodes(ref, { readNode, signal: options.signal })) {
      if (node.kind === "leaf") {
        if (options.lost !== undefined) continue;
        repair.report.replicatedLeavesSkipped += 1;
        await repair.ensure(node.chunks);
      } else if (node.kind === "erasure_leaf") {
        for (const stripe of node.stripes) {
          if (isLost(stripe, options.lost)) await repair.repairStripe(stripe);
        }
      }
    }
  }
  return repair.report;
}

function isLost({ chunks }: Stripe, lost: ReadonlySet<string> | undefined): boolean {
  return lost === undefined || chunks.some(({ hash }) => lost.has(toHex(hash)));
}

class BlobRepair {
  readonly report = emptyBlobRepairReport();
  readonly #options: RepairBlobOptions;
  readonly #turns = new StepTurns();
  #doneBytes = 0;

  constructor(options: RepairBlobOptions) {
    this.#options = options;
  }

  async readNode(hash: Uint8Array): Promise<Uint8Array | undefined> {
    const { near, signal } = this.#options;
    return await near.read(hash, undefined, signal) ?? await this.#fetch({ hash });
  }

  /** Sees that chunks are here, each from other nodes when it is not. */
  async ensure(chunks: readonly ChunkRef[]): Promise<void> {
    const { near, signal } = this.#options;
    for (const { hash, size } of chunks) {
      signal?.throwIfAborted();
      await this.#turns.step();
      const isHere = await near.read(hash, size, signal) !== undefined;
      if (!isHere && await this.#fetch({ hash, size }) === undefined) {
        this.report.chunksMissing += 1;
      }
      this.#count(size);
    }
  }

  async repairStripe(stripe: Stripe): Promise<void> {
    const { report } = this;
    this.#options.signal?.throwIfAborted();
    await this.#turns.step();
    if (stripe.encoding.kind === "replicated") {
      await repairStripe(stripe, report, this.#treeOptions());
      await this.ensure(stripe.chunks);
      return;
    }
    const before = { ...report };
    await repairStripe(stripe, report, this.#treeOptions());
    if (report.stripesUnrecoverable > before.stripesUnrecoverable) {
      await this.#fetchStripe(stripe, before);
    }
    for (const { size, parityIndex } of stripe.chunks) {
      if (parityIndex === undefined) this.#count(size);
    }
  }

  /** Gets what others have of a stripe that parity here does not save, and tries again. */
  async #fetchStripe(stripe: Stripe, before: BlobRepairReport): Promise<void> {
    const { near, signal } = this.#options;
    const lost: ChunkRef[] = [];
    let fetched = 0;
    for (const chunk of stripe.chunks) {
      const own = await near.read(chunk.hash, chunk.size, signal);
      if (own?.length === chunk.size) continue;
      if (await this.#fetch(chunk) === undefined) lost.push(chunk);
      else fetched += 1;
    }
    if (fetched > 0) {
      const { chunksFetched, chunksMissing } = this.report;
      Object.assign(this.report, before, { chunksFetched, chunksMissing });
      await repairStripe(stripe, this.report, this.#treeOptions());
      if (this.report.stripesAlreadyHealthy > before.stripesAlreadyHealthy) {
        this.report.stripesAlreadyHealthy -= 1;
        this.report.stripesRepaired += 1;
      }
      if (this.report.stripesUnrecoverable === before.stripesUnrecoverable) return;
    }
    this.report.chunksMissing += lost.length;
  }

  async #fetch(
    { hash, size }: { readonly hash: Uint8Array; readonly size?: number },
  ): Promise<Uint8Array | undefined> {
    const { far, store, signal } = this.#options;
    let bytes: Uint8Array | undefined;
    try {
      bytes = await far?.read(hash, size, signal);
    } catch (error) {
      signal?.throwIfAborted();
      // Nobody has it, or nobody answered: the next chunk may fare better.
      if (error instanceof NetError) return undefined;
      throw error;
    }
    if (bytes === undefined || (size !== undefined && bytes.length !== size)) return undefined;
    // A fetch keeps what came without a sync; what a repair counts outlives a loss of power.
    await store(hash, bytes);
    this.report.chunksFetched += 1;
    return bytes;
  }

  #treeOptions(): RepairTreeOptions {
    const { near, store, work, signal } = this.#options;
    return {
      readNode: (hash) => this.readNode(hash),
      readChunk: ({ hash, size }) => near.read(hash, size, signal),
      writeChunk: async ({ hash }, bytes) => void await store(hash, bytes),
      work,
      signal,
    };
  }

  #count(bytes: number): void {
    this.#doneBytes += bytes;
    this.#options.onBytes?.(this.#doneBytes);
  }
}
