/** Whole nodes with folds, over real sockets on loopback. */
import { systemClock } from "../../src/base/mod.ts";
import type { FoldReach } from "../../src/core/capability/mod.ts";
import { openLedger } from "../../src/core/ledger/mod.ts";
import { createMetricRegistry, silentLog } from "../../src/observe/mod.ts";
import { createFoldMemory, FoldService } from "../../src/services/mod.ts";
import {
  type CapableNode,
  type CapableNodeOptions,
  startCapableNode,
} from "./capabilities/capability_kit.ts";

/** A running node. */
export interface FoldingNode extends CapableNode {
  readonly service: FoldService;
  /** Counters of the fold service. */
  foldCounters(): Readonly<Record<string, number>>;
}

/** Options of {@linkcode startFoldingNode}. */
export interface FoldingNodeOptions extends CapableNodeOptions {
  readonly reach?: FoldReach;
  /** A ledger's file for snapshots; none are kept when left out. */
  readonly snapshots?: string;
}

/** Starts a node; its session with `join` comes later. */
export async function startFoldingNode(options: FoldingNodeOptions = {}): Promise<FoldingNode> {
  const { reach, snapshots, ...rest } = options;
  const node = await startCapableNode(rest);
  const { keys, mesh, capabilities } = node;
  const metrics = createMetricRegistry();
  const ledger = snapshots === undefined ? undefined : openLedger({ path: snapshots });
  const memory = ledger && createFoldMemory(ledger);
  const deps = { clock: systemClock, log: silentLog, metrics, keys, mesh, capabilities, memory };
  const service = new FoldService({ ...deps, reach }, { snapshotMs: 0 });
  await service.start();
  const stop = async () => {
    await service.stop();
    await node.stop();
    await ledger?.close();
  };
  return {
    ...node,
    service,
    foldCounters: () => metrics.snapshot(),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
