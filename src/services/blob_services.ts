/**
 * The services of a node about blobs, put together. They start in this order and stop in the opposite one. A data
 * folder that is opened without a mesh has the first ones only.
 */
import { systemClock } from "../base/mod.ts";
import { BlobKeepingService, BlobService, createPolicyMemory, PolicyService } from "./blobs/mod.ts";
import type { MeshServices, NodeParts } from "./node_services.ts";

/** Blobs, and what moves them. */
export interface BlobServices {
  /** First, so that the others start by what it says. */
  readonly policy: PolicyService;
  /** What stays and what goes. */
  readonly keeping: BlobKeepingService;
  readonly blobs: BlobService;
}

/**
 * Adds the blobs of a node.
 *
 * @param mesh `undefined` where no mesh runs: then only what is here can be had.
 */
export function addBlobServices(
  { supervisor, config, log, metrics, storage }: Pick<
    NodeParts,
    "supervisor" | "config" | "log" | "metrics" | "storage"
  >,
  mesh: MeshServices | undefined,
): BlobServices {
  const deps = { clock: systemClock, log, metrics };
  const memory = createPolicyMemory(storage.ledger);
  const policy = supervisor.add(() => new PolicyService({ ...deps, memory }));
  const keeping = supervisor.add(() =>
    new BlobKeepingService({ ...deps, storage, policy: () => policy.current }, {
      retentionMs: config.blobRetentionMs,
      gcMs: config.blobGcMs,
    })
  );
  const blobs = supervisor.add(() =>
    new BlobService({ ...deps, storage, mesh: mesh?.mesh, nat: mesh?.nat, policy })
  );
  return { policy, keeping, blobs };
}
